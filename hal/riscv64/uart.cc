#include "hal/riscv64/uart.h"

#include "hal/riscv64/device_tree.h"
#include "hal/riscv64/launcher.h"
#include "hal/riscv64/machine.h"
#include "hal/riscv64/streams.h"

// Source: TI PC16550D data sheet.
namespace zrun::hal {
namespace {

enum : unsigned {
  kData = 0,
  kInterruptEnable = 1,
  kFifoControl = 2,
  kLineControl = 3,
  kLineStatus = 5
};
constexpr uint8_t kDataReady = 1, kTransmitterEmpty = 0x20, kReceiveInterrupt = 1;

constinit volatile uint8_t* g_registers = nullptr;
constinit uint32_t g_interrupt = 0;
constinit SpinLock g_lock;
constinit std::atomic<bool> g_seized{false};
using Notify = void (*)();
constinit Notify g_notify = nullptr;

}  // namespace

void InitConsole() {
  const DeviceTree& tree = MachineTree();
  const auto node = tree.FindCompatible(tree.Find("/soc"), "ns16550a");
  if (!node) return;
  g_registers = WindowPointer<volatile uint8_t>(node.Number("reg", 0, 2));
  g_interrupt = uint32_t(node.Number("interrupts"));
  g_registers[kInterruptEnable] = 0;
  g_registers[kLineControl] = 3;  // 8 bits, no parity
  g_registers[kFifoControl] = 7;  // on, and empty
  // What comes before this mark is the firmware's (the launcher drops it).
  UartWrite({&kSerialMark, 1});
}

void UartWrite(std::string_view text) {
  if (!g_registers) return;
  InterruptsOff off;
  const bool lock = !g_seized.load(std::memory_order_relaxed);
  if (lock) g_lock.Lock();
  for (char c : text) {
    while (!(g_registers[kLineStatus] & kTransmitterEmpty)) {
    }
    g_registers[kData] = uint8_t(c);
  }
  if (lock) g_lock.Unlock();
}

void UartSeize() { g_seized.store(true, std::memory_order_relaxed); }

namespace {

// What came in and nobody has read: the port itself holds 16 bytes.
class Input {
 public:
  void Collect() {
    while (count_ < kSize && (g_registers[kLineStatus] & kDataReady))
      bytes_[(first_ + count_++) % kSize] = std::byte(g_registers[kData]);
  }
  size_t Take(std::span<std::byte> out) {
    size_t done = 0;
    for (; done < out.size() && count_ > 0; count_--) {
      out[done++] = bytes_[first_];
      first_ = (first_ + 1) % kSize;
    }
    return done;
  }
  bool empty() const { return count_ == 0; }

 private:
  static constexpr size_t kSize = 4096;
  std::byte bytes_[kSize] = {};
  size_t first_ = 0, count_ = 0;
};
constinit Input g_input;  // GUARDED_BY(g_lock)

class Serial final : public Stream {
 public:
  Result<size_t> Read(std::span<std::byte> out) override {
    SpinLocked lock(g_lock);
    const size_t done = g_input.Take(out);
    if (done == 0 && !out.empty()) return Errno::kEAGAIN;
    return done;
  }
  Result<size_t> Write(std::span<const std::byte> in) override {
    UartWrite({reinterpret_cast<const char*>(in.data()), in.size()});
    return in.size();
  }
  StreamReadiness Poll() override {
    SpinLocked lock(g_lock);
    return {!g_input.empty(), true, false};
  }
  bool IsDrained() override { return true; }
};
constinit Serial g_serial;

}  // namespace

Stream& SerialStream() { return g_serial; }

void UartListen(void (*notify)()) {
  if (!g_registers) return;
  g_notify = notify;
  SetInterruptHandler(
      g_interrupt,
      [](void*) {
        {
          SpinLocked lock(g_lock);
          g_input.Collect();
        }
        g_notify();
      },
      nullptr);
  g_registers[kInterruptEnable] = kReceiveInterrupt;
}

}  // namespace zrun::hal
