// From the first hart's first C++ to the kernel's main function.
#include <new>

#include "base/assert.h"
#include "base/text.h"
#include "hal/devices.h"
#include "hal/riscv64/device_tree.h"
#include "hal/riscv64/sbi.h"
#include "hal/riscv64/space.h"
#include "hal/riscv64/vdso.h"
#include "hal/riscv64/vector_state.h"

extern "C" [[noreturn]] void KernelMain();
extern "C" void SecondaryStart();
extern "C" std::atomic<uint64_t> hart_starts[];

namespace zrun::hal {
namespace {

alignas(Hart) constinit std::byte g_harts[kMaxHarts][sizeof(Hart)] = {};
constinit unsigned g_hart_count = 0;

// A block (layout.h) for the code that boots, until there are others; it becomes the boot hart's
// idle thread. Only its upper half is used, so it may begin where the lower ends.
constexpr uint64_t kThreadSpace = (sizeof(Thread) + 63) & ~uint64_t{63};
struct alignas(ZRUN_BLOCK_SIZE) BootBlock {
  std::byte bytes[ZRUN_BLOCK_SIZE];
};
constinit BootBlock g_boot_block = {};

extern "C" std::byte* const boot_thread_pointer =
    g_boot_block.bytes + ZRUN_BLOCK_SIZE - kThreadSpace;

// Processors that the tree says can be used, the one we run on first.
void FindHarts(uint64_t boot_hart) {
  const auto add = [](uint64_t id) {
    if (g_hart_count == kMaxHarts) return;
    Hart* hart = new (&g_harts[g_hart_count]) Hart;
    hart->index = g_hart_count++;
    hart->id = id;
  };
  add(boot_hart);
  const auto cpus = MachineTree().Find("/cpus");
  for (auto cpu = cpus.FirstChild(); cpu; cpu = cpu.Next()) {
    if (!cpu.Is("cpu") || cpu.Text("status") == "disabled") continue;
    if (const uint64_t id = cpu.Number("reg"); id != boot_hart) add(id);
  }
}

void AdoptBootThread() {
  Hart& hart = HartAt(0);
  auto* thread = new (boot_thread_pointer) Thread;
  thread->state.store(ThreadState::kRunning);
  thread->hart.store(&hart);
  hart.idle = thread;
  hart.current.store(thread);
  hart.online.store(true);
}

void StartHart(Hart& hart) {
  constexpr uint64_t kStart = 0;
  hart.idle = MakeIdleThread();
  hart.idle->hart.store(&hart);
  hart.current.store(hart.idle);
  hart.start = {KernelSatp(), hart.idle};
  const uint64_t start = reinterpret_cast<uint64_t>(&hart.start) - ZRUN_KERNEL_OFFSET;
  CHECK(hart.id < ZRUN_HART_IDS);
  hart_starts[hart.id].store(start, std::memory_order_release);
  const SbiResult started =
      SbiCall(SbiExtension::kHartState, kStart, hart.id,
              reinterpret_cast<uint64_t>(&SecondaryStart) - ZRUN_KERNEL_OFFSET, start);
  // One that stays away is not missed: who looks for a hart to run on takes those that are online.
  if (started.error != 0)
    ConsoleWrite(TextBuffer<120>("zrun: hart ", hart.id, " does not start: SBI error ",
                                 started.error, "\n"));
}

}  // namespace

unsigned HartCount() { return g_hart_count; }
Hart& HartAt(unsigned index) { return *std::launder(reinterpret_cast<Hart*>(g_harts[index])); }

extern "C" [[noreturn]] void HartStarted() {
  Hart& hart = ThisHart();
  EnableHartInterrupts(hart);
  hart.idle->started_at = TimerNow();
  hart.online.store(true, std::memory_order_release);
  IdleLoop();
}

extern "C" [[noreturn]] void MachineStart(uint64_t boot_hart, uint64_t device_tree) {
  InitMemory(device_tree);
  FindHarts(boot_hart);
  AdoptBootThread();
  InitConsole();
  InitCommandLine();
  InitPaging();
  InitVdso();
  InitClock();
  FillVdsoData();
  InitTimer();
  InitSleep();
  InitThreads();
  InitScheduler();
  InitEntropy();
  InitVectors();
  InitProcessorFacts();
  InitInterruptController();
  EnableHartInterrupts(HartAt(0));
  HartAt(0).idle->started_at = TimerNow();
  // Before the page allocator exists: what these need comes from the early frames.
  for (unsigned i = 1; i < HartCount(); i++) StartHart(HartAt(i));
  const auto main = StartThread(nullptr, {[](void*) {
                                            StartStreams();
                                            StartDisks();
                                            KernelMain();
                                          },
                                          nullptr});
  CHECK(main.ok());
  IdleLoop();
}

}  // namespace zrun::hal
