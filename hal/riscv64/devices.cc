// The machine's side of hal/devices.h: the kernel's messages, the launcher's streams, the end.
#include "hal/devices.h"

#include <algorithm>

#include "base/assert.h"
#include "base/text.h"
#include "hal/riscv64/device_tree.h"
#include "hal/riscv64/entropy.h"
#include "hal/riscv64/machine.h"
#include "hal/riscv64/sbi.h"
#include "hal/riscv64/streams.h"
#include "hal/riscv64/uart.h"

namespace zrun::hal {
namespace {

using EventHandler = void (*)(const MachineEvent&);
constinit std::atomic<EventHandler> g_handler{nullptr};
constinit std::atomic<uint32_t> g_pending{0};        // bits of NotifyStreams()
constinit std::atomic<uint32_t> g_interest[3] = {};  // bit 0: readable, bit 1: writable
constinit Stream* g_streams[3] = {};
constinit StreamKind g_kinds[3] = {StreamKind::kPipe, StreamKind::kPipe, StreamKind::kPipe};
constinit std::atomic<uint64_t> g_window{0};

bool IsReady(unsigned stream, uint32_t interest) {
  const StreamReadiness ready = g_streams[stream]->Poll();
  return ready.hang_up || ((interest & 1) && ready.readable) || ((interest & 2) && ready.writable);
}

// Turns what interrupt handlers notice into events.
void ReactorMain(void*) {
  for (;;) {
    const uint32_t pending = g_pending.exchange(0, std::memory_order_acq_rel);
    if (pending == 0) {
      WaitOnWord(g_pending, 0, Deadline::Never());
      continue;
    }
    if (pending & kNotifyPorts) ServicePorts();
    for (unsigned stream = 0; stream < 3; stream++) {
      const uint32_t interest = g_interest[stream].load(std::memory_order_acquire);
      if (!(pending >> stream & 1) || !interest || !IsReady(stream, interest)) continue;
      g_interest[stream].store(0, std::memory_order_release);
      ReportEvent({MachineEvent::Kind::kStreamReady, stream});
    }
  }
}

uint64_t NumberOption(std::string_view name, uint64_t otherwise) {
  const std::string_view text = KernelOption(name);
  return text.empty() ? otherwise : ParseUnsigned(text).value;
}

}  // namespace

void NotifyStreams(uint32_t bits) {
  g_pending.fetch_or(bits, std::memory_order_acq_rel);
  WakeWord(g_pending, 1);
}

void ReportEvent(const MachineEvent& event) {
  if (EventHandler handler = g_handler.load(std::memory_order_acquire)) handler(event);
}

void StartStreams() {
  constexpr std::string_view kKindOptions[] = {"stdin", "stdout", "stderr"};
  const bool ports = StartPorts(g_streams);
  for (unsigned i = 0; i < 3; i++) {
    if (!ports) g_streams[i] = &SerialStream();
    g_kinds[i] = StreamKind(NumberOption(kKindOptions[i], uint64_t(StreamKind::kPipe)));
  }
  g_window.store(NumberOption("window", 24 | 80 << 16));
  StartEntropyDevice();
  const auto reactor = StartThread(nullptr, {ReactorMain, nullptr});
  CHECK(reactor.ok());
  if (!ports) UartListen([] { NotifyStreams(1); });
}

void ConsoleWrite(std::string_view text) { UartWrite(text); }

void Halt(int exit_status) {
  constexpr Nanoseconds kPatience = 10 * kSecond;  // with a launcher that does not read
  const Nanoseconds end = TimerNow() + kPatience;
  for (Stream* stream : g_streams) {
    while (stream && !stream->IsDrained() && TimerNow() < end) {
    }
  }
  PowerOff(exit_status);
}

// The test device makes QEMU's exit status; the firmware's reset is for machines without one.
void PowerOff(int exit_status) {
  const DeviceTree& tree = MachineTree();
  const auto test = tree.FindCompatible(tree.Find("/soc"), "sifive,test0");
  if (test) {
    constexpr uint32_t kPass = 0x5555, kFail = 0x3333;
    *WindowPointer<volatile uint32_t>(test.Number("reg", 0, 2)) =
        exit_status == 0 ? kPass : uint32_t(exit_status) << 16 | kFail;
  }
  SbiCall(SbiExtension::kReset, 0, 0, 0);
  for (;;) asm volatile("wfi");
}

StreamKind GetStreamKind(unsigned stream) { return g_kinds[stream]; }
Result<size_t> StreamRead(unsigned stream, std::span<std::byte> buffer) {
  return g_streams[stream]->Read(buffer);
}
Result<size_t> StreamWrite(unsigned stream, std::span<const std::byte> buffer) {
  return g_streams[stream]->Write(buffer);
}
StreamReadiness PollStream(unsigned stream) { return g_streams[stream]->Poll(); }

void WatchStream(unsigned stream, bool readable, bool writable) {
  const uint32_t wanted = (readable ? 1u : 0u) | (writable ? 2u : 0u);
  g_interest[stream].fetch_or(wanted, std::memory_order_seq_cst);
  if (IsReady(stream, wanted)) NotifyStreams(1u << stream);
}

WindowSize GetWindowSize() {
  const uint64_t packed = g_window.load(std::memory_order_acquire);
  return {uint16_t(packed), uint16_t(packed >> 16), uint16_t(packed >> 32), uint16_t(packed >> 48)};
}

void SetWindowSize(uint64_t packed) { g_window.store(packed, std::memory_order_release); }

void SetEventHandler(void (*handler)(const MachineEvent& event)) {
  g_handler.store(handler, std::memory_order_release);
  NotifyStreams(kNotifyPorts | 7);  // what happened before
}

}  // namespace zrun::hal
