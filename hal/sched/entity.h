#pragma once
#include <cstdint>

#include "base/intrusive_list.h"
#include "base/tree.h"
#include "hal/clock.h"
#include "hal/thread.h"

// Scheduling without a machine: which of the threads that want a processor has it, and for how
// long. Nothing here knows of time but by what it is told, nor of locks: a machine calls it under
// its run queue's lock, tests with a clock of their own.
namespace zrun::hal::sched {

// What the scheduler keeps of a thread. A machine's thread derives from it. Its fields belong to
// the run queue it is in, and to the policy that made them.
struct Entity : TreeNode<Entity>, ListNode<Entity> {
  Scheduling scheduling;
  uint32_t weight = 1024;  // share of the processor: WeightOf()
  Nanoseconds slice_used = 0;
  // Fair: virtual time received, the virtual time by which the next slice is due, how far it was
  // behind (positive) or ahead of the others when it went to sleep, and the least |received| in its
  // subtree of the waiting.
  int64_t received = 0;
  int64_t due = 0;
  int64_t lag = 0;
  int64_t least_received = 0;
  // Stride: virtual time at which it runs next.
  int64_t pass = 0;
};

// Linux's weights: each step of nice is a tenth more or less of the processor; SCHED_IDLE gets what
// others leave.
uint32_t WeightOf(const Scheduling& scheduling);

// |time| of a thread of that weight, in the virtual time of one of nice 0.
constexpr int64_t ToVirtual(Nanoseconds time, uint32_t weight) { return time * 1024 / weight; }

inline constexpr Nanoseconds kSlice = 3'000'000;              // of the shared policies
inline constexpr Nanoseconds kRoundRobinSlice = 100'000'000;  // SCHED_RR, as on Linux

// Why a thread joins those that want the processor.
enum class Arrival : uint8_t { kNew, kWoken, kMoved };

// A policy that shares a processor among the threads that are not real-time: EEVDF (fair.h) or
// stride scheduling (stride.h). Those that want the processor are in the queue; one of them may be
// running.
class SharePolicy {
 public:
  virtual void Join(Entity& entity, Arrival arrival) = 0;  // to wait
  virtual void Leave(Entity& entity, bool waiting) = 0;    // one that waits, or the running one
  // The one that is to run next stops waiting; null if none waits.
  virtual Entity* Take() = 0;
  // The running one waits again; |yields|: it lets others go first.
  virtual void PutBack(Entity& entity, bool yields) = 0;
  virtual void Charge(Entity& running, Nanoseconds ran) = 0;
  // Whether a waiting one should have the processor now.
  virtual bool ShouldSwitch(const Entity& running) const = 0;
  // A waiting one that may run on processor |cpu|, for balancing; null if there is none.
  virtual Entity* Spare(unsigned cpu) = 0;
  virtual bool has_waiting() const = 0;

 protected:
  ~SharePolicy() = default;
};

inline bool MayRunOn(const Entity& entity, unsigned cpu) {
  return (entity.scheduling.affinity >> cpu & 1) != 0;
}
inline bool IsRealTime(const Scheduling& scheduling) {
  return scheduling.policy == SchedulingPolicy::kFifo ||
         scheduling.policy == SchedulingPolicy::kRoundRobin;
}

}  // namespace zrun::hal::sched
