#include "hal/sched/stride.h"

#include <algorithm>

namespace zrun::hal::sched {

// While it is away, |lag| is how far its pass was behind; what it was ahead it may not lose by
// sleeping.
void StridePolicy::Join(Entity& entity, Arrival arrival, const Progress& all) {
  if (arrival == Arrival::kNew) entity.lag = -ToVirtual(kSlice, entity.weight);
  if (arrival != Arrival::kMoved) entity.pass = all.time - std::min<int64_t>(entity.lag, 0);
  entity.pass -= beginning_;
  if (weights_ == 0) now_ = entity.pass;
  weights_ += entity.weight;
  entity.slice_used = 0;
  waiting_.Insert(entity);
}

void StridePolicy::Leave(Entity& entity, bool waiting, const Progress& all) {
  if (waiting) waiting_.Remove(entity);
  weights_ -= entity.weight;
  entity.pass += beginning_;
  entity.lag = all.time - entity.pass;
}

void StridePolicy::Reweigh(Entity& running, uint32_t weight) {
  weights_ += int64_t(weight) - int64_t(running.weight);
  running.weight = weight;
}

Entity* StridePolicy::Take() {
  Entity* entity = waiting_.First();
  if (!entity) return nullptr;
  waiting_.Remove(*entity);
  entity->slice_used = 0;
  return entity;
}

void StridePolicy::PutBack(Entity& entity, bool yields) {
  const Entity* last = waiting_.Last();
  if (yields && last) entity.pass = std::max(entity.pass, last->pass);
  waiting_.Insert(entity);
}

void StridePolicy::Charge(Entity& running, Nanoseconds ran) {
  running.pass += ToVirtual(ran, running.weight);
  running.slice_used += ran;
  const Entity* first = waiting_.First();
  now_ = std::max(now_, first ? std::min(first->pass, running.pass) : running.pass);
}

bool StridePolicy::ShouldSwitch(const Entity& running) const {
  const Entity* other = waiting_.First();
  if (!other) return false;
  // Between equals a slice at a time; one that is far behind does not wait for its end.
  if (running.slice_used >= kSlice) return other->pass <= running.pass;
  return other->pass + ToVirtual(kSlice, other->weight) < running.pass;
}

Entity* StridePolicy::Spare(unsigned cpu, int64_t most_weight) {
  for (Entity* entity = waiting_.Last(); entity; entity = waiting_.Previous(*entity)) {
    if (MayRunOn(*entity, cpu) && entity->weight <= most_weight) return entity;
  }
  return nullptr;
}

}  // namespace zrun::hal::sched
