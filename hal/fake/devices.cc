#include <sys/random.h>

#include <cstdio>
#include <cstdlib>
#include <deque>

#include "hal/fake/fake.h"
#include "hal/fake/internal.h"

namespace zrun::hal {
namespace {

struct Devices {
  std::mutex mutex;
  std::string console;
  std::string command_line;
  std::deque<char> input;
  bool input_ended = false;
  std::string output[3];
  StreamKind kinds[3] = {StreamKind::kPipe, StreamKind::kPipe, StreamKind::kPipe};
  WindowSize window{24, 80, 0, 0};
  bool watch_input = false;
  void (*handler)(const MachineEvent&) = nullptr;
};
Devices& Get() {
  static Devices* const devices = new Devices;
  return *devices;
}

}  // namespace

void ConsoleWrite(std::string_view text) {
  std::lock_guard lock(Get().mutex);
  Get().console += text;
}

void FillEntropy(std::span<std::byte> buffer) {
  size_t done = 0;
  while (done < buffer.size()) {
    const ssize_t got = getrandom(buffer.data() + done, buffer.size() - done, 0);
    if (got > 0) done += size_t(got);
  }
}

void Halt(int exit_status) { std::_Exit(exit_status); }
std::string_view CommandLine() { return Get().command_line; }

StreamKind GetStreamKind(unsigned stream) {
  std::lock_guard lock(Get().mutex);
  return stream < 3 ? Get().kinds[stream] : StreamKind::kNone;
}

Result<size_t> StreamRead(unsigned stream, std::span<std::byte> buffer) {
  std::lock_guard lock(Get().mutex);
  if (stream != 0) return Errno::kEBADF;
  Devices& devices = Get();
  if (devices.input.empty() && !devices.input_ended) return Errno::kEAGAIN;
  const size_t count = std::min(buffer.size(), devices.input.size());
  for (size_t i = 0; i < count; i++) {
    buffer[i] = std::byte(devices.input.front());
    devices.input.pop_front();
  }
  return count;
}

Result<size_t> StreamWrite(unsigned stream, std::span<const std::byte> buffer) {
  std::lock_guard lock(Get().mutex);
  if (stream == 0 || stream > 2) return Errno::kEBADF;
  Get().output[stream].append(reinterpret_cast<const char*>(buffer.data()), buffer.size());
  return buffer.size();
}

StreamReadiness PollStream(unsigned stream) {
  std::lock_guard lock(Get().mutex);
  const bool readable = stream == 0 && (!Get().input.empty() || Get().input_ended);
  return {readable, stream == 1 || stream == 2, stream == 0 && Get().input_ended};
}

void WatchStream(unsigned stream, bool readable, bool writable) {
  const StreamReadiness now = PollStream(stream);
  if ((readable && now.readable) || (writable && now.writable)) {
    fake::SendEvent({MachineEvent::Kind::kStreamReady, stream});
    return;
  }
  std::lock_guard lock(Get().mutex);
  if (stream == 0 && readable) Get().watch_input = true;
}

WindowSize GetWindowSize() {
  std::lock_guard lock(Get().mutex);
  return Get().window;
}

void SetEventHandler(void (*handler)(const MachineEvent& event)) {
  std::lock_guard lock(Get().mutex);
  Get().handler = handler;
}

namespace fake {

void SetInput(std::string_view bytes, bool end_of_file) {
  bool tell;
  {
    std::lock_guard lock(Get().mutex);
    Get().input.insert(Get().input.end(), bytes.begin(), bytes.end());
    Get().input_ended = end_of_file;
    tell = std::exchange(Get().watch_input, false);
  }
  if (tell) SendEvent({MachineEvent::Kind::kStreamReady, 0});
}

std::string TakeOutput(unsigned stream) {
  std::lock_guard lock(Get().mutex);
  return std::exchange(Get().output[stream], {});
}

void SetStreamKind(unsigned stream, StreamKind kind) {
  std::lock_guard lock(Get().mutex);
  Get().kinds[stream] = kind;
}

void SetWindowSize(WindowSize size) {
  std::lock_guard lock(Get().mutex);
  Get().window = size;
}

void SetCommandLine(std::string text) { Get().command_line = std::move(text); }

void SendEvent(const MachineEvent& event) {
  void (*handler)(const MachineEvent&);
  {
    std::lock_guard lock(Get().mutex);
    handler = Get().handler;
  }
  if (handler) handler(event);
}

std::string TakeConsole() {
  std::lock_guard lock(Get().mutex);
  return std::exchange(Get().console, {});
}

}  // namespace fake
}  // namespace zrun::hal
