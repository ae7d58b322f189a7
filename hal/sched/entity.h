#pragma once
#include <algorithm>
#include <array>
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
  uint8_t weight_class = 20;  // in kWeights, since it joined
  uint32_t weight = 1;        // the part of a processor that is its due: Shares::PartOf()
  Nanoseconds slice_used = 0;
  // Fair: virtual time received (in a queue: since its beginning), the virtual time by which the
  // next slice is due, how far it was behind (positive) or ahead of the others when it went to
  // sleep, and the least |received| in its subtree of the waiting.
  int64_t received = 0;
  int64_t due = 0;
  int64_t lag = 0;
  int64_t least_received = 0;
  // Stride: virtual time at which it runs next.
  int64_t pass = 0;
};

// Linux's weights, from nice -20 to 19: each is the next times 1.25, a tenth more or less of the
// processor. SCHED_IDLE, at the end, gets what others leave. Source: Linux's sched_prio_to_weight,
// which programs' expectations of nice come from.
inline constexpr std::array<uint32_t, 41> kWeights = {
    88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904,
    3906,  3121,  2501,  1991,  1586,  1277,  1024,  820,   655,   526,   423,  335,  272,  215,
    172,   137,   110,   87,    70,    56,    45,    36,    29,    23,    18,   15,   3};
inline uint8_t WeightClassOf(const Scheduling& scheduling) {
  if (scheduling.policy == SchedulingPolicy::kIdle) return kWeights.size() - 1;
  return uint8_t(std::clamp<int>(scheduling.nice, -20, 19) + 20);
}
inline uint32_t WeightOf(const Scheduling& scheduling) {
  return kWeights[WeightClassOf(scheduling)];
}

// |time| of a thread of that weight (Entity's), in the virtual time of one that has a processor.
inline constexpr uint32_t kWholeProcessor = 1 << 20;
constexpr int64_t ToVirtual(Nanoseconds time, int64_t weight) {
  return time * kWholeProcessor / weight;
}

inline constexpr Nanoseconds kSlice = 3'000'000;              // of the shared policies
inline constexpr Nanoseconds kRoundRobinSlice = 100'000'000;  // SCHED_RR, as on Linux

// The virtual time that threads have come to on average, and their weights.
struct Progress {
  int64_t time = 0;
  int64_t weights = 0;
};

// Why a thread joins those that want the processor. One that comes from another queue keeps its
// virtual time.
enum class Arrival : uint8_t { kNew, kWoken, kMoved };

// A policy that shares a processor among the threads that are not real-time: EEVDF (fair.h) or
// stride scheduling (stride.h). Those that want the processor are in the queue; one of them may be
// running.
class SharePolicy {
 public:
  // To wait; one that waits, or the running one. |all|: of all processors, without it.
  virtual void Join(Entity& entity, Arrival arrival, const Progress& all) = 0;
  virtual void Leave(Entity& entity, bool waiting, const Progress& all) = 0;
  // The one that is to run next stops waiting; null if none waits.
  virtual Entity* Take() = 0;
  // The running one waits again; |yields|: it lets others go first.
  virtual void PutBack(Entity& entity, bool yields) = 0;
  virtual void Charge(Entity& running, Nanoseconds ran) = 0;
  virtual void Reweigh(Entity& running, uint32_t weight) = 0;
  virtual Progress Now() const = 0;
  // Takes that much virtual time from all of them.
  virtual void Rewind(int64_t time) = 0;
  // Whether a waiting one should have the processor now.
  virtual bool ShouldSwitch(const Entity& running) const = 0;
  // A waiting one of that weight at most that may run on processor |cpu|; null if there is none.
  virtual Entity* Spare(unsigned cpu, int64_t most_weight) = 0;
  virtual bool has_waiting() const = 0;

 protected:
  ~SharePolicy() = default;
};

// Of the kernel's own threads, which all others wait for: above the guests' real-time priorities,
// and not throttled.
inline constexpr uint8_t kServicePriority = 100;
// Real-time threads leave a twentieth of a second to the others, as on Linux.
inline constexpr Nanoseconds kRealTimeMost = 950'000'000;
inline constexpr int kRealTimeRatio = 19;

inline bool MayRunOn(const Entity& entity, unsigned cpu) {
  return (entity.scheduling.affinity >> cpu & 1) != 0;
}
inline bool IsRealTime(const Scheduling& scheduling) {
  return scheduling.policy == SchedulingPolicy::kFifo ||
         scheduling.policy == SchedulingPolicy::kRoundRobin;
}

}  // namespace zrun::hal::sched
