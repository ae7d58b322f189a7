// The machine's side of hal/devices.h: the kernel's messages, the launcher's streams, the end.
#include "hal/devices.h"

#include "base/assert.h"
#include "hal/riscv64/device_tree.h"
#include "hal/riscv64/machine.h"
#include "hal/riscv64/sbi.h"
#include "hal/riscv64/uart.h"

namespace zrun::hal {
namespace {

using EventHandler = void (*)(const MachineEvent&);
constinit std::atomic<EventHandler> g_handler{nullptr};
constinit std::atomic<uint32_t> g_pending{0};  // bit 0..2: look at the stream
constinit std::atomic<uint32_t> g_interest[3] = {};

// Turns what interrupt handlers notice into events.
void ReactorMain(void*) {
  for (;;) {
    const uint32_t pending = g_pending.exchange(0, std::memory_order_acq_rel);
    if (pending == 0) {
      WaitOnWord(g_pending, 0, Deadline::Never());
      continue;
    }
    EventHandler handler = g_handler.load(std::memory_order_acquire);
    if (!handler) continue;
    for (unsigned stream = 0; stream < 3; stream++) {
      if (!(pending >> stream & 1)) continue;
      if (g_interest[stream].exchange(0, std::memory_order_acq_rel))
        handler({MachineEvent::Kind::kStreamReady, stream});
    }
  }
}

void Notify(uint32_t bits) {
  g_pending.fetch_or(bits, std::memory_order_acq_rel);
  WakeWord(g_pending, 1);
}

constinit int g_peeked = -1;
constinit SpinLock g_input_lock;

bool HasInput() {
  SpinLocked lock(g_input_lock);
  if (g_peeked < 0) g_peeked = UartRead();
  return g_peeked >= 0;
}

}  // namespace

void StartStreams() {
  const auto reactor = StartThread(nullptr, {ReactorMain, nullptr});
  CHECK(reactor.ok());
  UartListen([] { Notify(1); });
}

void ConsoleWrite(std::string_view text) { UartWrite(text); }

// The test device makes QEMU's exit status; the firmware's reset is for machines without one.
void Halt(int exit_status) {
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

StreamKind GetStreamKind(unsigned) { return StreamKind::kPipe; }

Result<size_t> StreamRead(unsigned stream, std::span<std::byte> buffer) {
  if (stream != 0) return Errno::kEBADF;
  size_t done = 0;
  while (done < buffer.size() && HasInput()) {
    SpinLocked lock(g_input_lock);
    buffer[done++] = std::byte(g_peeked);
    g_peeked = -1;
  }
  if (done == 0) return Errno::kEAGAIN;
  return done;
}

Result<size_t> StreamWrite(unsigned stream, std::span<const std::byte> buffer) {
  if (stream == 0) return Errno::kEBADF;
  UartWrite({reinterpret_cast<const char*>(buffer.data()), buffer.size()});
  return buffer.size();
}

StreamReadiness PollStream(unsigned stream) {
  return {stream == 0 && HasInput(), stream != 0, false};
}

void WatchStream(unsigned stream, bool readable, bool writable) {
  g_interest[stream].fetch_or((readable ? 1u : 0u) | (writable ? 2u : 0u),
                              std::memory_order_acq_rel);
  const StreamReadiness now = PollStream(stream);
  if ((readable && now.readable) || (writable && now.writable)) Notify(1u << stream);
}

WindowSize GetWindowSize() { return {24, 80, 0, 0}; }

void SetEventHandler(void (*handler)(const MachineEvent& event)) {
  g_handler.store(handler, std::memory_order_release);
  Notify(7);
}

}  // namespace zrun::hal
