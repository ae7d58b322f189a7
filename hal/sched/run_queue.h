#pragma once
#include <array>

#include "hal/sched/fair.h"
#include "hal/sched/shares.h"
#include "hal/sched/stride.h"

namespace zrun::hal::sched {

// One processor's threads: real-time ones by priority (sched(7): FIFO, and RR with a slice), then
// those that share what is left by a policy. The machine's lock guards it.
class RunQueue {
 public:
  RunQueue(SharePolicy& shared, Shares& shares, unsigned processor)
      : shared_(shared), shares_(shares), processor_(processor) {}
  RunQueue(const RunQueue&) = delete;
  RunQueue& operator=(const RunQueue&) = delete;

  void Join(Entity& entity, Arrival arrival);
  // One that waits.
  void Remove(Entity& entity);
  // The best of the waiting becomes the running one; null if none waits. Nobody is running.
  Entity* Take();
  // The running one: has run for |ran|, waits again, sleeps or ends.
  void Charge(Nanoseconds ran);
  void PutBack(bool yields);
  void Retire();
  // New parameters for a thread that waits here, or sleeps. The running one is put back first.
  void Change(Entity& entity, bool waiting, const Scheduling& scheduling);

  Entity* running() const { return running_; }
  bool ShouldSwitch() const;
  // Whether time passing changes what ShouldSwitch() says.
  bool NeedsTick() const;
  // One that waits and may run on processor |cpu|; null if there is none.
  Entity* Spare(unsigned cpu);
  // If those that share here have had less than |other|'s: one of them that may go there.
  Entity* FindFor(const RunQueue& other);
  // No queue has one for this one: what it had more than the others was nobody's.
  void ForgiveLead();
  unsigned waiting() const { return waiting_; }

 private:
  static constexpr unsigned kPriorities = kServicePriority + 1;
  using List = IntrusiveList<Entity, Entity>;
  int HighestRealTime() const;
  void PushRealTime(Entity& entity, bool front);

  // Whether a real-time thread of that priority (-1: none) comes before those that share.
  bool ComesFirst(int priority) const;
  void Throttle(Nanoseconds ran, bool real_time);
  void JoinShared(Entity& entity, Arrival arrival);
  void LeaveShared(Entity& entity, bool waiting);
  Progress All() const { return shares_.Average(shared_.Now().time); }

  SharePolicy& shared_;
  Shares& shares_;
  const unsigned processor_;
  std::array<List, kPriorities> lists_;
  std::array<uint64_t, 2> occupied_{};  // which lists have somebody
  Entity* running_ = nullptr;
  unsigned waiting_ = 0;
  // What real-time threads have run above kRealTimeRatio times what others had that wanted to.
  Nanoseconds real_time_excess_ = 0;
  bool is_throttled_ = false;  // until the others have had their part
};

}  // namespace zrun::hal::sched
