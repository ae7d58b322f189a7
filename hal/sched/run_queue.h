#pragma once
#include <array>

#include "hal/sched/fair.h"
#include "hal/sched/stride.h"

namespace zrun::hal::sched {

// One processor's threads: real-time ones by priority (sched(7): FIFO, and RR with a slice), then
// those that share what is left by a policy. The machine's lock guards it.
class RunQueue {
 public:
  explicit RunQueue(SharePolicy& shared) : shared_(shared) {}
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
  Entity* Spare(unsigned cpu);
  unsigned waiting() const { return waiting_; }

 private:
  static constexpr unsigned kPriorities = 100;
  using List = IntrusiveList<Entity, Entity>;
  int HighestRealTime() const;
  void PushRealTime(Entity& entity, bool front);

  SharePolicy& shared_;
  std::array<List, kPriorities> lists_;
  std::array<uint64_t, 2> occupied_{};  // which lists have somebody
  Entity* running_ = nullptr;
  unsigned waiting_ = 0;
};

}  // namespace zrun::hal::sched
