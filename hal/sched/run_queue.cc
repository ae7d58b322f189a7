#include "hal/sched/run_queue.h"

#include <algorithm>
#include <utility>

namespace zrun::hal::sched {

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
  waiting_++;
  if (IsRealTime(entity.scheduling)) {
    entity.slice_used = 0;
    PushRealTime(entity, false);
  } else {
    JoinShared(entity, arrival);
  }
}

void RunQueue::JoinShared(Entity& entity, Arrival arrival) {
  entity.weight_class = WeightClassOf(entity.scheduling);
  shares_.Add(entity.weight_class);
  if (arrival == Arrival::kNew) shares_.Divide();
  entity.weight = shares_.PartOf(entity.weight_class);
  shared_.Join(entity, arrival, All());
  shares_.Publish(processor_, shared_.Now());
}

void RunQueue::LeaveShared(Entity& entity, bool waiting) {
  const Progress all = All();
  shared_.Leave(entity, waiting, all);
  shares_.Subtract(entity.weight_class);
  shares_.Publish(processor_, shared_.Now());
}

void RunQueue::Remove(Entity& entity) {
  waiting_--;
  if (!IsRealTime(entity.scheduling)) {
    LeaveShared(entity, true);
    return;
  }
  const unsigned priority = std::min<unsigned>(entity.scheduling.priority, kPriorities - 1);
  lists_[priority].Remove(entity);
  if (lists_[priority].empty()) occupied_[priority / 64] &= ~(uint64_t{1} << (priority % 64));
}

Entity* RunQueue::Take() {
  DCHECK(!running_);
  const int priority = HighestRealTime();
  if (ComesFirst(priority)) {
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
  const bool real_time = IsRealTime(running_->scheduling);
  if (running_->scheduling.priority < kServicePriority) Throttle(ran, real_time);
  if (real_time) {
    running_->slice_used += ran;
  } else {
    shared_.Charge(*running_, ran);
    const uint32_t weight = shares_.PartOf(running_->weight_class);
    if (weight != running_->weight) shared_.Reweigh(*running_, weight);
    shares_.Publish(processor_, shared_.Now());
  }
}

void RunQueue::Throttle(Nanoseconds ran, bool real_time) {
  if (!real_time) {
    real_time_excess_ = std::max<Nanoseconds>(real_time_excess_ - kRealTimeRatio * ran, 0);
  } else if (shared_.has_waiting()) {
    real_time_excess_ += ran;
  }
  if (real_time_excess_ >= kRealTimeMost) is_throttled_ = true;
  if (real_time_excess_ == 0) is_throttled_ = false;
}

bool RunQueue::ComesFirst(int priority) const {
  if (priority < 0) return false;
  const bool others_want = shared_.has_waiting() || (running_ && !IsRealTime(running_->scheduling));
  return priority >= kServicePriority || !is_throttled_ || !others_want;
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
  if (!IsRealTime(entity.scheduling)) LeaveShared(entity, false);
}

void RunQueue::Change(Entity& entity, bool waiting, const Scheduling& scheduling) {
  if (waiting) {
    Remove(entity);
    entity.scheduling = scheduling;
    Join(entity, Arrival::kMoved);
  } else {
    entity.scheduling = scheduling;
  }
}

bool RunQueue::ShouldSwitch() const {
  if (!running_) return waiting_ > 0;
  const int priority = HighestRealTime();
  if (IsRealTime(running_->scheduling)) {
    if (priority > running_->scheduling.priority) return true;
    if (!ComesFirst(running_->scheduling.priority)) return true;
    return priority == running_->scheduling.priority &&
           running_->scheduling.policy == SchedulingPolicy::kRoundRobin &&
           running_->slice_used >= kRoundRobinSlice;
  }
  return ComesFirst(priority) || shared_.ShouldSwitch(*running_);
}

bool RunQueue::NeedsTick() const {
  if (!running_ || (waiting_ == 0 && !shares_.are_scarce())) return false;
  return running_->scheduling.policy != SchedulingPolicy::kFifo;
}

Entity* RunQueue::Spare(unsigned cpu) {
  for (int priority = HighestRealTime(); priority >= 0; priority--) {
    for (Entity& entity : lists_[priority]) {
      if (MayRunOn(entity, cpu)) return &entity;
    }
  }
  return shared_.Spare(cpu, INT64_MAX);
}

namespace {

// Virtual time that is no reason to move threads.
constexpr int64_t kLead = 2 * kSlice;
// What a queue may be ahead, with none to take over, as the time that its threads ran.
constexpr Nanoseconds kMostLead = 200'000'000;
// Who is due a processor cannot make up for time that he waits. The others make room for him.
constexpr int64_t kMostOfProcessor = kWholeProcessor / 16 * 15;

}  // namespace

Entity* RunQueue::FindFor(const RunQueue& other) {
  const Progress own = shared_.Now(), theirs = other.shared_.Now();
  if (theirs.weights == 0 || own.time + kLead >= theirs.time) return nullptr;
  return shared_.Spare(other.processor_, std::max(own.weights - theirs.weights, kMostOfProcessor));
}

void RunQueue::ForgiveLead() {
  const Progress own = shared_.Now();
  if (own.weights == 0) return;
  const int64_t lead = own.time - All().time - ToVirtual(kMostLead, own.weights);
  if (lead <= 0) return;
  shared_.Rewind(lead);
  shares_.Publish(processor_, shared_.Now());
}

}  // namespace zrun::hal::sched
