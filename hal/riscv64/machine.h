#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "base/intrusive_list.h"
#include "base/tree.h"
#include "hal/address_space.h"
#include "hal/parking.h"
#include "hal/riscv64/layout.h"
#include "hal/riscv64/spin_lock.h"
#include "hal/sched/run_queue.h"
#include "hal/user_context.h"

// What the files of this machine share: threads, harts, and the steps of booting.
namespace zrun::hal {

class Space;
struct Hart;

inline constexpr unsigned kMaxHarts = 8;

// f0..f31 and fcsr, as in a signal frame (struct __riscv_d_ext_state).
struct FloatState {
  uint64_t registers[32];
  uint32_t control;
  uint32_t padding;
};

// The part of a thread that trap.S knows.
struct TrapState {
  Registers registers;  // the guest's
  uint64_t kernel_sp;   // while it is in the guest
  uint64_t status;      // sstatus in the guest: whether floats are on, and changed
  uint64_t cause;       // of the last trap out of the guest, and what belongs to it
  uint64_t trap_value;
  uint64_t switch_sp;  // while another thread runs
  FloatState floats;   // up to date unless |status| says that they changed in the registers
};

// vstart, vl, vtype, vcsr, as in a signal frame.
struct VectorControl {
  uint64_t start, length, type, control;
};

// What trap.S leaves on the stack of kernel code that was interrupted or has faulted.
struct KernelFrame {
  uint64_t x[32];  // [0]: the program counter
  uint64_t status, cause, value, padding;
};

// kMoving: between the queues of two harts.
enum class ThreadState : uint8_t { kRunning, kReady, kMoving, kBlocked, kDead };

struct WaitTag;
struct TimerTag;
struct BlockTag;
struct StrayTag;

// A kernel thread. It lies at the top of its block, above its kernel stack; tp points to it.
class Thread : public TrapState,
               public sched::Entity,
               public ListNode<WaitTag>,
               public TreeNode<TimerTag>,
               public ListNode<BlockTag>,
               public ListNode<StrayTag> {
 public:
  // ---- Scheduling. Guarded by the run queue's lock of |hart|, which only changes under it.
  std::atomic<Hart*> hart{nullptr};
  std::atomic<ThreadState> state{ThreadState::kBlocked};
  bool has_new_scheduling = false;  // until it is put back, or joins
  Scheduling new_scheduling;

  // ---- Sleeping on a word: its bucket's lock guards.
  const void* wait_word = nullptr;
  bool timed_out = false;
  // The timer lock of |timer_hart| guards.
  Nanoseconds wake_at = 0;
  Hart* timer_hart = nullptr;

  Parking parking;
  std::atomic<uint32_t> kick{0};  // what the way to the guest looks at; set with |parking|'s
  Space* space = nullptr;         // an owned reference; null for service threads
  ThreadStart start{};
  void* owner = nullptr;        // ThreadSlot
  Hart* floats_hart = nullptr;  // whose float registers were last this thread's
  // The vector registers' bytes, in a frame, from the first use on (vector_state.h).
  std::byte* vectors = nullptr;
  VectorControl vector_control{};
  Hart* vectors_hart = nullptr;

  // ---- Times
  Nanoseconds started_at = 0;  // running since then, beyond what |ran| holds
  std::atomic<Nanoseconds> ran{0};
  std::atomic<uint32_t> user_samples{0}, system_samples{0};
  uint64_t minor_faults = 0;
  uint64_t voluntary_switches = 0, involuntary_switches = 0;

  uint64_t block() const {
    return reinterpret_cast<uint64_t>(this) & ~uint64_t{ZRUN_BLOCK_SIZE - 1};
  }
};

// What SecondaryStart (start.S) reads.
struct HartStart {
  uint64_t satp;
  Thread* idle;
};

// A processor. Fields without a comment are its own, with interrupts off.
struct Hart {
  unsigned index = 0;  // the kernel's number: 0 boots
  uint64_t id = 0;     // the firmware's
  HartStart start{};
  Thread* idle = nullptr;
  std::atomic<bool> online{false};

  // ---- Scheduler
  SpinLock lock;                          // guards |queue| and the states of its threads
  sched::RunQueue* queue = nullptr;       // GUARDED_BY(lock)
  std::atomic<Thread*> current{nullptr};  // written under |lock|
  std::atomic<bool> need_switch{false};   // any hart sets it, then sends an interrupt
  std::atomic<bool> is_idle{false};       // waits for interrupts: wants work
  Thread* switched_from = nullptr;
  IntrusiveList<Thread, StrayTag> strays;  // GUARDED_BY(lock): may not run here any more
  std::atomic<uint64_t> switches{0};       // others read it

  // ---- Timer
  struct TimerTraits {
    static Nanoseconds KeyOf(const Thread& thread) { return thread.wake_at; }
  };
  SpinLock timer_lock;
  Tree<Thread, TimerTraits, TimerTag> sleepers;  // GUARDED_BY(timer_lock)
  Nanoseconds programmed = INT64_MAX;            // when the timer is set to fire
  Nanoseconds tick_at = INT64_MAX;

  // ---- Translation and float registers
  Space* loaded = nullptr;  // null: the kernel's own tables
  Thread* floats_owner = nullptr;
  Thread* vectors_owner = nullptr;

  std::atomic<Nanoseconds> idle_time{0};
};

unsigned HartCount();
Hart& HartAt(unsigned index);
// With interrupts off.
inline Hart& ThisHart() {
  Thread* self;
  asm volatile("mv %0, tp" : "=r"(self));
  return *self->hart.load(std::memory_order_relaxed);
}

// ---- Booting, in this order (boot.cc)
void InitMemory(uint64_t device_tree);  // what RAM there is
void InitConsole();
void InitCommandLine();
void InitPaging();  // the kernel's own tables
void InitClock();
void InitSleep();
void InitThreads();
void InitScheduler();
void InitTimer();
void InitEntropy();
void InitProcessorFacts();
void InitInterruptController();
void EnableHartInterrupts(Hart& hart);  // each hart
void StartStreams();                    // threads and devices behind hal/devices.h
void StartDisks();                      // behind hal/disks.h

// ---- Interrupts (interrupts.cc)
using InterruptHandler = void (*)(void* argument);
// |number|: the PLIC's. The handler runs with interrupts off and may only wake threads.
void SetInterruptHandler(uint32_t number, InterruptHandler handler, void* argument);
void HandleInterrupt(uint64_t cause, bool from_user);
void SendInterrupt(Hart& hart);

// ---- Timer (clock.cc)
Nanoseconds TimerNow();
// Interrupts are off: makes sure that the timer fires by |at|.
void ProgramTimer(Hart& hart, Nanoseconds at);
void OnTimer(Hart& hart, bool from_user);
// Those due by |now|; when the next one is (sleep.cc).
Nanoseconds WakeSleepers(Hart& hart, Nanoseconds now);

// ---- Scheduler (scheduler.cc)
// The current thread lets others run: it is blocked or dead, or goes on when it is its turn.
enum class SwitchReason : uint8_t { kBlocked, kPreempted, kYield };
void Schedule(SwitchReason reason);  // interrupts are off
// Makes a blocked thread run.
void MakeReady(Thread& thread);
void EnqueueNew(Thread& thread);
void OnSchedulerTick(Hart& hart, bool from_user);
[[noreturn]] void IdleLoop();

// ---- Threads (thread.cc)
Thread* MakeIdleThread();
void RecycleDead(Thread& thread);  // from the scheduler, when nothing runs on its stack

// Takes the guest's floats from this hart's registers if they changed there (user_context.cc):
// those of the thread that runs here, interrupts off; the current thread's.
void StoreChangedFloats(Thread& thread);
void SaveFloats();

// ---- Paging (paging.cc)
paddr_t AllocateTable();  // 0: no memory. A page of zeros.
void FreeTable(paddr_t table);
Result<void> MapKernelPage(vaddr_t page, paddr_t frame);
paddr_t UnmapKernelPage(vaddr_t page);
// Before there are guests: the range is one that MapKernelPage() may be asked for.
void ReserveKernelRange(VirtRange range);
bool IsKernelPageMapped(vaddr_t page);
// Makes all harts forget what they remember of the kernel's half.
void FlushKernelEverywhere();
uint64_t KernelSatp();
// What a new space's root begins with.
void CopyKernelHalf(paddr_t root);
unsigned PagingLevels();

inline uint64_t ToWindow(paddr_t address) { return address + ZRUN_WINDOW; }
template <typename T>
T* WindowPointer(paddr_t address) {
  return reinterpret_cast<T*>(ToWindow(address));
}

// The kernel command line's value of NAME=VALUE, or nothing (command_line.cc).
std::string_view KernelOption(std::string_view name);

// ---- Panic (panic.cc)
[[noreturn]] void Die(std::string_view reason, const KernelFrame& frame);

}  // namespace zrun::hal
