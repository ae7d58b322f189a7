#include "vfs/tty/console.h"

#include "hal/devices.h"
#include "hal/thread.h"
#include "vfs/anonymous.h"
#include "vfs/devfs/devices.h"
#include "vfs/tty/console_tty.h"
#include "vfs/tty/host_stream.h"

namespace zrun::vfs {
namespace {

constexpr unsigned kStreams = 3;

// What the launcher gave us: a terminal, or streams. Made while booting, never freed.
struct Console {
  RefPtr<ConsoleTty> tty;  // null: streams
  StreamChannel channels[kStreams] = {StreamChannel(0), StreamChannel(1), StreamChannel(2)};
};
constinit Console* console = nullptr;
// Counts OnStreamReady() calls: what FlushConsole() sleeps on.
constinit std::atomic<uint32_t> ready_events{0};

bool FlushAll() {
  if (console->tty) return console->tty->Flush();
  bool done = true;
  for (unsigned stream = 1; stream < kStreams; stream++) done &= console->channels[stream].Flush();
  return done;
}

Result<RefPtr<FileDescription>> OpenStream(unsigned stream, const Path& dev_null, uint32_t user) {
  const OpenFlags flags = stream == 0 ? OpenFlags::kReadOnly : OpenFlags::kWriteOnly;
  const hal::StreamKind kind = hal::GetStreamKind(stream);
  // A stream is shown as what it behaves like: /dev/null, a socket, or a pipe, which nobody seeks.
  if (kind == hal::StreamKind::kNone || kind == hal::StreamKind::kNull)
    return OpenCharDevice(dev_null, MakeDevice(1, 3), flags);
  const bool is_socket = kind == hal::StreamKind::kSocket;
  StreamChannel& channel = console->channels[stream];
  const Path path = TRY(MakeAnonymousPath(is_socket ? "socket" : "pipe",
                                          (is_socket ? kModeSocket : kModeFifo) | 0600, {user, 0},
                                          nullptr, &channel));
  return channel.Reopen(path, flags);
}

}  // namespace

Result<void> InitConsole(ConsoleMode mode) {
  auto made = TRY(MakeOwned<Console>());
  if (mode == ConsoleMode::kTerminal) made->tty = TRY(ConsoleTty::Create());
  console = made.release();
  OnWindowSize();
  return {};
}

Result<StandardFiles> OpenStandardFiles(const StandardPlaces& places, uint32_t user) {
  StandardFiles standard;
  if (console->tty) {
    if (auto vnode = places.console.vnode()) {
      AttributeChange change;
      change.valid = AttributeChange::kUid;
      change.uid = user;
      TRY(vnode->SetAttributes(change));
    }
    RefPtr<FileDescription> file = TRY(OpenTty(
        places.console, console->tty, OpenFlags::kReadWrite | OpenFlags::kNoControllingTty));
    for (auto& entry : standard.files) entry = file;
    return standard;
  }
  for (unsigned stream = 0; stream < kStreams; stream++)
    standard.files[stream] = TRY(OpenStream(stream, places.null, user));
  return standard;
}

void SetConsoleSession(int32_t session, int32_t group) {
  if (console->tty) console->tty->SetSession(session, group);
}

Result<RefPtr<FileDescription>> OpenConsole(const Path& path, OpenFlags flags) {
  if (!console || !console->tty) return Errno::kENXIO;
  return OpenTty(path, console->tty, flags | OpenFlags::kNoControllingTty);
}

void OnStreamReady(unsigned stream) {
  if (!console || stream >= kStreams) return;
  if (!console->tty) {
    console->channels[stream].OnReady();
  } else if (stream == 0) {
    console->tty->OnKeyboard();
  } else {
    console->tty->OnScreen();
  }
  ready_events.fetch_add(1);
  hal::WakeWord(ready_events, UINT32_MAX);
}

void OnWindowSize() {
  if (!console || !console->tty) return;
  const hal::WindowSize size = hal::GetWindowSize();
  console->tty->SetWindowSize({size.rows, size.columns, size.x_pixels, size.y_pixels});
}

bool FlushConsole(hal::Deadline deadline) {
  if (!console) return true;
  for (;;) {
    const uint32_t seen = ready_events.load();
    if (FlushAll()) return true;
    if (hal::MonotonicNow() >= deadline.at) return false;
    hal::WaitOnWord(ready_events, seen, deadline);
  }
}

}  // namespace zrun::vfs
