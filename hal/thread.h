#pragma once
#include <atomic>
#include <cstdint>

#include "base/result.h"
#include "hal/clock.h"

// Kernel threads. A guest thread is a kernel thread that calls Run() (hal/user_context.h) in a
// loop.
namespace zrun::hal {

class AddressSpace;
class Thread;  // the body's

struct ThreadStart {
  void (*entry)(void* argument);  // must end with ExitThread()
  void* argument;
};

Thread& CurrentThread();
// A thread in |space|; null: a kernel service thread that never runs guest code.
Result<Thread*> StartThread(AddressSpace* space, ThreadStart start);
// The stack and context are freed when nothing can run on them any more. Nobody may name the thread
// after.
[[noreturn]] void ExitThread();

// One word of storage per thread for the layer above (the objects layer's Thread).
void* ThreadSlot(const Thread& thread);
void SetThreadSlot(Thread& thread, void* value);

// The kernel's identity of a processor the caller runs on, for getcpu and statistics.
unsigned CurrentCpu();
unsigned CpuCount();
// The processors (of the first 64) that the container may use.
uint64_t AllowedCpus();
// Lets the caller run on |cpus| only, at once. Threads that it makes inherit that. EINVAL.
Result<void> SetAffinity(uint64_t cpus);
// Returns when every thread that runs in the caller's address space (|everywhere|: in any) has
// passed a full memory barrier.
enum class BarrierScope : bool { kAddressSpace, kEverywhere };
Result<void> MemoryBarrier(BarrierScope scope);

// How a thread is scheduled (sched(7)), on machines that do it themselves; where a host does
// (trap), its own rules hold. A new thread has its creator's.
enum class SchedulingPolicy : uint8_t { kNormal, kBatch, kIdle, kFifo, kRoundRobin };
struct Scheduling {
  SchedulingPolicy policy = SchedulingPolicy::kNormal;
  int8_t nice = 0;                 // -20 to 19
  uint8_t priority = 0;            // of the real-time policies: 1 to 99, the highest first
  uint64_t affinity = UINT64_MAX;  // bit n: may run on processor n; at least one that exists
};
void SetScheduling(Thread& thread, const Scheduling& scheduling);

struct CpuTimes {
  Nanoseconds user = 0;
  Nanoseconds system = 0;
  // Known for the caller only, and 0 where the machine does not count.
  uint64_t minor_faults = 0, major_faults = 0;
  uint64_t voluntary_switches = 0, involuntary_switches = 0;
  uint64_t peak_resident_bytes = 0;  // the most that its address space ever had
  void Add(const CpuTimes& other) {
    user += other.user;
    system += other.system;
    minor_faults += other.minor_faults;
    major_faults += other.major_faults;
    voluntary_switches += other.voluntary_switches;
    involuntary_switches += other.involuntary_switches;
    if (peak_resident_bytes < other.peak_resident_bytes)
      peak_resident_bytes = other.peak_resident_bytes;
  }
};
// CPU time used so far. For threads other than the caller the split, and how the time of one
// address space's threads divides among them, may be estimated.
CpuTimes ThreadCpuTimes(const Thread& thread);

// Context switches since boot; 0 where a host makes them.
uint64_t SwitchCount();

// ---- Sleeping. The one blocking primitive: sleeps while |word| holds |expected|; may wake
// spuriously.
enum class WaitOutcome : uint8_t { kWoken, kTimedOut };
WaitOutcome WaitOnWord(const std::atomic<uint32_t>& word, uint32_t expected, Deadline deadline);
void WakeWord(const std::atomic<uint32_t>& word, uint32_t max_threads);
void Yield();

// Park() sleeps until Unpark(thread) (which is remembered if it comes first), the deadline, or, if
// interruptible, while a kick is pending.
enum class Interruptible : bool { kNo, kYes };
enum class ParkOutcome : uint8_t { kUnparked, kTimedOut, kKicked };
ParkOutcome Park(Deadline deadline, Interruptible interruptible);
void Unpark(Thread& thread);
// Whether |thread| sleeps in Park() and nothing has woken it yet: one that was woken runs, though
// it may not have got a processor.
bool IsParked(const Thread& thread);

// Asks |thread| to come to its run loop: makes its current or next Run() return kInterrupted and
// its interruptible Park() return kKicked, until the thread itself calls ClearKick(). Never lost.
void Kick(Thread& thread);
bool KickPending();
void ClearKick();

}  // namespace zrun::hal
