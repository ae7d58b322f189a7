#include "hal/sched/fair.h"

#include <algorithm>

namespace zrun::hal::sched {

void FairPolicy::Traits::Update(Entity& entity) {
  entity.least_received = entity.received;
  if (const Entity* left = Waiting::Left(entity))
    entity.least_received = std::min(entity.least_received, left->least_received);
  if (const Entity* right = Waiting::Right(entity))
    entity.least_received = std::min(entity.least_received, right->least_received);
}

void FairPolicy::Count(const Entity& entity, int sign) {
  weights_ += sign * int64_t(entity.weight);
  weighted_ += sign * int64_t(entity.weight) * (entity.received - base_);
}

// Keeps the products small: virtual time never stops growing.
void FairPolicy::Rebase() {
  if (weights_ == 0) return;
  const int64_t shift = weighted_ / weights_;
  base_ += shift;
  weighted_ -= shift * weights_;
}

void FairPolicy::Join(Entity& entity, Arrival arrival, const Progress& all) {
  Rebase();
  if (arrival != Arrival::kMoved) {
    int64_t lag = arrival == Arrival::kNew ? 0 : entity.lag;
    // Joining moves the average towards it: so much more lag that it has what it had after.
    if (all.weights > 0) lag += lag * int64_t(entity.weight) / all.weights;
    entity.received = all.time - lag;
  }
  entity.received -= beginning_;
  if (weights_ == 0) base_ = entity.received;
  const int64_t slice = ToVirtual(kSlice, entity.weight);
  // A newcomer begins in the middle of a slice: forking does not gain time.
  entity.due = entity.received + (arrival == Arrival::kNew ? slice / 2 : slice);
  entity.slice_used = 0;
  Count(entity, 1);
  waiting_.Insert(entity);
}

void FairPolicy::Leave(Entity& entity, bool waiting, const Progress& all) {
  if (waiting) waiting_.Remove(entity);
  Count(entity, -1);
  entity.received += beginning_;
  const int64_t limit = ToVirtual(2 * kSlice, entity.weight);
  entity.lag = std::clamp(all.time - entity.received, -limit, limit);
}

// The first in order of |due| that is eligible: a subtree without one is passed over.
Entity* FairPolicy::Earliest() const {
  const int64_t now = Average();
  Entity* node = waiting_.root();
  while (node) {
    Entity* left = Waiting::Left(*node);
    if (left && left->least_received <= now) {
      node = left;
    } else if (node->received <= now) {
      return node;
    } else {
      node = Waiting::Right(*node);
    }
  }
  return nullptr;
}

Entity* FairPolicy::Take() {
  Entity* entity = Earliest();
  if (!entity) entity = waiting_.First();  // all eligible ones were running: rounding
  if (entity) {
    waiting_.Remove(*entity);
    entity->slice_used = 0;
  }
  return entity;
}

void FairPolicy::PutBack(Entity& entity, bool yields) {
  if (yields) {
    // It gives away what is left of its slice: one that is behind would be chosen again at once.
    const int64_t left = std::max<int64_t>(entity.due - entity.received, 0);
    entity.received += left;
    weighted_ += left * int64_t(entity.weight);
    entity.due = entity.received + ToVirtual(kSlice, entity.weight);
    Rebase();
  }
  waiting_.Insert(entity);
}

void FairPolicy::Charge(Entity& running, Nanoseconds ran) {
  const int64_t received = ToVirtual(ran, running.weight);
  running.received += received;
  weighted_ += received * int64_t(running.weight);
  running.slice_used += ran;
  if (running.received >= running.due) {
    running.due = running.received + ToVirtual(kSlice, running.weight);
    running.slice_used = kSlice;  // it is others' turn
  }
  Rebase();
}

void FairPolicy::Reweigh(Entity& running, uint32_t weight) {
  Count(running, -1);
  running.weight = weight;
  Count(running, 1);
}

bool FairPolicy::ShouldSwitch(const Entity& running) const {
  const Entity* other = Earliest();
  if (!other) return false;
  if (running.scheduling.policy == SchedulingPolicy::kIdle &&
      other->scheduling.policy != SchedulingPolicy::kIdle)
    return true;
  // A slice is run to its end, unless somebody's is due sooner; then at least so much of it that
  // switching costs little.
  constexpr Nanoseconds kLeast = 500'000;
  return running.slice_used >= kSlice || (other->due < running.due && running.slice_used >= kLeast);
}

Entity* FairPolicy::Spare(unsigned cpu, int64_t most_weight) {
  // The one that would wait longest.
  for (Entity* entity = waiting_.Last(); entity; entity = waiting_.Previous(*entity)) {
    if (MayRunOn(*entity, cpu) && entity->weight <= most_weight) return entity;
  }
  return nullptr;
}

}  // namespace zrun::hal::sched
