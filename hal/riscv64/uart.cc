#include "hal/riscv64/uart.h"

#include "hal/riscv64/device_tree.h"
#include "hal/riscv64/machine.h"

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
  UartWrite("\x1e");
}

void UartWrite(std::string_view text) {
  if (!g_registers) return;
  SpinLocked lock(g_lock);
  for (char c : text) {
    while (!(g_registers[kLineStatus] & kTransmitterEmpty)) {
    }
    g_registers[kData] = uint8_t(c);
  }
}

void UartListen(void (*notify)()) {
  if (!g_registers) return;
  g_notify = notify;
  SetInterruptHandler(
      g_interrupt,
      [](void*) {
        // Until somebody has read, no more.
        g_registers[kInterruptEnable] = 0;
        g_notify();
      },
      nullptr);
  g_registers[kInterruptEnable] = kReceiveInterrupt;
}

int UartRead() {
  if (!g_registers) return -1;
  if (g_registers[kLineStatus] & kDataReady) return g_registers[kData];
  g_registers[kInterruptEnable] = kReceiveInterrupt;
  return -1;
}

}  // namespace zrun::hal
