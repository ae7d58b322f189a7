#include "hal/devices.h"

#include "hal/trap_x86_64/host_call.h"
#include "hal/trap_x86_64/machine.h"

namespace zrun::hal {
namespace {

enum : int16_t { kPollIn = 1, kPollOut = 4, kPollErr = 8, kPollHup = 16 };
struct PollFd {
  int32_t fd;
  int16_t events, revents;
};
int64_t HostPoll(PollFd* fds, size_t count, bool block) {
  struct {
    int64_t seconds, nanoseconds;
  } zero = {0, 0};
  return HostCall(HostNumber::kPpoll, fds, count, block ? nullptr : &zero, 0, 0);
}

// What each stream is watched for: bit 0 readable, bit 1 writable.
constinit std::atomic<uint32_t> g_interest[3] = {};
using EventHandler = void (*)(const MachineEvent&);
constinit EventHandler g_handler = nullptr;

void DeliverSupervisorEvents() {
  BootRecord& boot = Boot();
  uint64_t signals = boot.pending_signals.exchange(0);
  for (uint32_t signal = 1; signals != 0 && signal < 64; signal++) {
    if (signals >> signal & 1) g_handler({MachineEvent::Kind::kSignal, signal});
    signals &= ~(uint64_t{1} << signal);
  }
  if (boot.window_changed.exchange(0)) g_handler({MachineEvent::Kind::kWindowSize, 0});
  if (boot.out_of_memory.exchange(0)) g_handler({MachineEvent::Kind::kOutOfMemory, 0});
}

// The host's readiness, turned into events.
void ReactorMain(void*) {
  for (;;) {
    PollFd fds[5] = {{Boot().event_fd, kPollIn, 0},
                     {-1, 0, 0},
                     {-1, 0, 0},
                     {-1, 0, 0},
                     {HostChangesFd(), kPollIn, 0}};
    for (unsigned i = 0; i < 3; i++) {
      const uint32_t interest = g_interest[i].load(std::memory_order_acquire);
      if (!interest) continue;
      fds[1 + i] = {Boot().stream_fds[i],
                    int16_t((interest & 1 ? kPollIn : 0) | (interest & 2 ? kPollOut : 0)), 0};
    }
    if (HostPoll(fds, 5, true) < 0) continue;
    if (fds[0].revents) {
      uint64_t count;
      HostCall(HostNumber::kRead, Boot().event_fd, &count, 8);
      if (g_handler) DeliverSupervisorEvents();
    }
    if (fds[4].revents && g_handler) g_handler({MachineEvent::Kind::kHostChanges, 0});
    for (unsigned i = 0; i < 3; i++) {
      if (!fds[1 + i].revents) continue;
      g_interest[i].store(0, std::memory_order_release);
      if (g_handler) g_handler({MachineEvent::Kind::kStreamReady, i});
    }
  }
}

}  // namespace

void WakeReactor() {
  const uint64_t one = 1;
  HostCall(HostNumber::kWrite, Boot().event_fd, &one, 8);
}

void StartReactor() {
  auto started = StartThread(nullptr, {ReactorMain, nullptr});
  CHECK(started.ok());
}

void ConsoleWrite(std::string_view text) {
  const int fd = Boot().stream_fds[2];
  if (fd < 0) return;
  while (!text.empty()) {
    const int64_t written = HostCall(HostNumber::kWrite, fd, text.data(), text.size());
    if (written > 0) {
      text.remove_prefix(size_t(written));
      continue;
    }
    if (written != -int64_t(Errno::kEAGAIN)) return;
    PollFd wait = {fd, kPollOut, 0};
    if (HostPoll(&wait, 1, true) < 0) return;
  }
}

void FillEntropy(std::span<std::byte> buffer) {
  while (!buffer.empty()) {
    const int64_t filled = HostCall(HostNumber::kGetrandom, buffer.data(), buffer.size(), 0);
    CHECK(filled > 0);
    buffer = buffer.subspan(size_t(filled));
  }
}

void Halt(int exit_status) {
  BootRecord& boot = Boot();
  uint32_t expected = 0;
  if (boot.halted.compare_exchange_strong(expected, 2)) {
    boot.exit_status.store(exit_status);
    boot.halted.store(1);
  }
  for (;;) HostCall(HostNumber::kExitGroup, 0);
}

std::string_view CommandLine() {
  return {Boot().text + Boot().command_line, Boot().command_line_size};
}

StreamKind GetStreamKind(unsigned stream) { return StreamKind(Boot().stream_kinds[stream]); }

Result<size_t> StreamRead(unsigned stream, std::span<std::byte> buffer) {
  return HostSize(
      HostCall(HostNumber::kRead, Boot().stream_fds[stream], buffer.data(), buffer.size()));
}

Result<size_t> StreamWrite(unsigned stream, std::span<const std::byte> buffer) {
  return HostSize(
      HostCall(HostNumber::kWrite, Boot().stream_fds[stream], buffer.data(), buffer.size()));
}

StreamReadiness PollStream(unsigned stream) {
  PollFd poll = {Boot().stream_fds[stream], kPollIn | kPollOut, 0};
  if (HostPoll(&poll, 1, false) < 0) return {};
  return {(poll.revents & kPollIn) != 0, (poll.revents & kPollOut) != 0,
          (poll.revents & (kPollHup | kPollErr)) != 0};
}

void WatchStream(unsigned stream, bool readable, bool writable) {
  const uint32_t wanted = (readable ? 1u : 0u) | (writable ? 2u : 0u);
  if ((g_interest[stream].fetch_or(wanted, std::memory_order_acq_rel) & wanted) != wanted)
    WakeReactor();
}

WindowSize GetWindowSize() {
  const uint64_t packed = Boot().window.load(std::memory_order_acquire);
  return {uint16_t(packed), uint16_t(packed >> 16), uint16_t(packed >> 32), uint16_t(packed >> 48)};
}

void SetEventHandler(void (*handler)(const MachineEvent& event)) {
  g_handler = handler;
  WakeReactor();  // what happened before
}

}  // namespace zrun::hal
