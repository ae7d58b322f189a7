#include "hal/sched/run_queue.h"

#include <algorithm>
#include <utility>

namespace zrun::hal::sched {

uint32_t WeightOf(const Scheduling& scheduling) {
  // Each is the next times 1.25: Linux's sched_prio_to_weight, which programs' expectations of nice
  // come from.
  static constexpr uint32_t kWeights[40] = {
      88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904,
      3906,  3121,  2501,  1991,  1586,  1277,  1024,  820,   655,   526,   423,  335,  272,  215,
      172,   137,   110,   87,    70,    56,    45,    36,    29,    23,    18,   15};
  if (scheduling.policy == SchedulingPolicy::kIdle) return 3;
  return kWeights[std::clamp<int>(scheduling.nice, -20, 19) + 20];
}

int RunQueue::HighestRealTime() const {
  if (occupied_[1]) return 127 - __builtin_clzll(occupied_[1]);
  if (occupied_[0]) return 63 - __builtin_clzll(occupied_[0]);
  return -1;
}

void RunQueue::PushRealTime(Entity& entity, bool front) {
  const unsigned priority = std::min<unsigned>(entity.scheduling.priority, kPriorities - 1);
  if (front) {
    lists_[priority].PushFront(entity);
  } else {
    lists_[priority].PushBack(entity);
  }
  occupied_[priority / 64] |= uint64_t{1} << (priority % 64);
}

void RunQueue::Join(Entity& entity, Arrival arrival) {
  entity.weight = WeightOf(entity.scheduling);
  waiting_++;
  if (IsRealTime(entity.scheduling)) {
    entity.slice_used = 0;
    PushRealTime(entity, false);
  } else {
    shared_.Join(entity, arrival);
  }
}

void RunQueue::Remove(Entity& entity) {
  waiting_--;
  if (!IsRealTime(entity.scheduling)) {
    shared_.Leave(entity, true);
    return;
  }
  const unsigned priority = std::min<unsigned>(entity.scheduling.priority, kPriorities - 1);
  lists_[priority].Remove(entity);
  if (lists_[priority].empty()) occupied_[priority / 64] &= ~(uint64_t{1} << (priority % 64));
}

Entity* RunQueue::Take() {
  DCHECK(!running_);
  const int priority = HighestRealTime();
  if (priority >= 0) {
    running_ = lists_[priority].front();
    Remove(*running_);
  } else {
    running_ = shared_.Take();
    if (running_) waiting_--;
  }
  return running_;
}

void RunQueue::Charge(Nanoseconds ran) {
  if (!running_) return;
  if (IsRealTime(running_->scheduling)) {
    running_->slice_used += ran;
  } else {
    shared_.Charge(*running_, ran);
  }
}

void RunQueue::PutBack(bool yields) {
  Entity& entity = *std::exchange(running_, nullptr);
  waiting_++;
  if (!IsRealTime(entity.scheduling)) {
    shared_.PutBack(entity, yields);
    return;
  }
  // One that was preempted goes on before its equals; one whose slice is over goes behind them.
  const bool slice_over = entity.scheduling.policy == SchedulingPolicy::kRoundRobin &&
                          entity.slice_used >= kRoundRobinSlice;
  if (slice_over) entity.slice_used = 0;
  PushRealTime(entity, !yields && !slice_over);
}

void RunQueue::Retire() {
  Entity& entity = *std::exchange(running_, nullptr);
  if (!IsRealTime(entity.scheduling)) shared_.Leave(entity, false);
}

void RunQueue::Change(Entity& entity, bool waiting, const Scheduling& scheduling) {
  if (waiting) {
    Remove(entity);
    entity.scheduling = scheduling;
    Join(entity, Arrival::kMoved);
  } else {
    entity.scheduling = scheduling;
    entity.weight = WeightOf(scheduling);
  }
}

bool RunQueue::ShouldSwitch() const {
  if (!running_) return waiting_ > 0;
  const int priority = HighestRealTime();
  if (IsRealTime(running_->scheduling)) {
    if (priority > running_->scheduling.priority) return true;
    return priority == running_->scheduling.priority &&
           running_->scheduling.policy == SchedulingPolicy::kRoundRobin &&
           running_->slice_used >= kRoundRobinSlice;
  }
  return priority >= 0 || shared_.ShouldSwitch(*running_);
}

bool RunQueue::NeedsTick() const {
  if (!running_ || waiting_ == 0) return false;
  return running_->scheduling.policy != SchedulingPolicy::kFifo;
}

Entity* RunQueue::Spare(unsigned cpu) {
  for (int priority = HighestRealTime(); priority >= 0; priority--) {
    for (Entity& entity : lists_[priority]) {
      if (MayRunOn(entity, cpu)) return &entity;
    }
  }
  return shared_.Spare(cpu);
}

}  // namespace zrun::hal::sched
