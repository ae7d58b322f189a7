#include "vfs/tty/console_tty.h"

#include "hal/devices.h"

namespace zrun::vfs {
namespace {

constexpr unsigned kKeyboard = 0, kScreen = 1;
constexpr size_t kOutputLimit = 32 << 10;

Termios ConsoleDefaults() {
  Termios settings = termios::kDefaults;
  settings.iflag |= termios::kIUtf8;
  return settings;
}

}  // namespace

ConsoleTty::ConsoleTty() : Tty(kDevice, ConsoleDefaults(), kOutputLimit) {}

Result<RefPtr<ConsoleTty>> ConsoleTty::Create() {
  auto tty = TRY(MakeRef<ConsoleTty>());
  // Without a keyboard nobody types: those who read wait, and nothing hangs up.
  const auto keyboard = hal::GetStreamKind(kKeyboard);
  if (keyboard != hal::StreamKind::kNone && keyboard != hal::StreamKind::kNull)
    hal::WatchStream(kKeyboard, true, false);
  return tty;
}

// True when nothing is left.
bool ConsoleTty::Pump() {
  while (!output_.empty()) {
    const auto written = hal::StreamWrite(kScreen, output_.front());
    if (written.ok()) {
      output_.Consume(written.value());
    } else if (written.error() == Errno::kEAGAIN) {
      hal::WatchStream(kScreen, false, true);
      return false;
    } else {
      output_.Clear();  // the terminal is gone; its keyboard will say so
    }
  }
  return true;
}

void ConsoleTty::OnOutput() {
  if (!discipline_.is_stopped()) Pump();
}

void ConsoleTty::OnInputRoom() {
  if (!throttled_) return;
  throttled_ = false;
  hal::WatchStream(kKeyboard, true, false);
}

void ConsoleTty::OnScreen() {
  MutexLock lock(lock_);
  OnOutput();
  Refresh(false);
}

bool ConsoleTty::Flush() {
  MutexLock lock(lock_);
  return Pump();
}

void ConsoleTty::OnKeyboard() {
  std::array<std::byte, 512> chunk;
  for (;;) {
    {
      MutexLock lock(lock_);
      if (!backlog_empty()) {
        throttled_ = true;
        return;
      }
    }
    const auto read = hal::StreamRead(kKeyboard, chunk);
    if (!read.ok() && read.error() == Errno::kEAGAIN) break;
    if (!read.ok() || read.value() == 0) {
      HangUp();
      return;
    }
    TtyEvents events;
    {
      MutexLock lock(lock_);
      // Typing that there is no memory for is lost, as on a line that overruns.
      if (!ReceiveLocked(std::span(chunk).first(read.value()), events)) events.flushed_input = true;
    }
    Deliver(events);
  }
  hal::WatchStream(kKeyboard, true, false);
}

}  // namespace zrun::vfs
