#include "hal/sched/stride.h"

#include <algorithm>

namespace zrun::hal::sched {

// While it is away, |lag| is how far its pass was ahead: it may not lose that by sleeping.
void StridePolicy::Join(Entity& entity, Arrival arrival) {
  const int64_t ahead = arrival == Arrival::kNew ? ToVirtual(kSlice, entity.weight) : entity.lag;
  entity.pass = now_ + std::max<int64_t>(ahead, 0);
  entity.slice_used = 0;
  waiting_.Insert(entity);
}

void StridePolicy::Leave(Entity& entity, bool waiting) {
  if (waiting) waiting_.Remove(entity);
  entity.lag = entity.pass - now_;
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

Entity* StridePolicy::Spare(unsigned cpu) {
  for (Entity* entity = waiting_.Last(); entity; entity = waiting_.Previous(*entity)) {
    if (MayRunOn(*entity, cpu)) return entity;
  }
  return nullptr;
}

}  // namespace zrun::hal::sched
