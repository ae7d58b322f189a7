#pragma once
#include "hal/sched/entity.h"

namespace zrun::hal::sched {

// Stride scheduling: a thread's pass grows by what it runs, divided by its weight; the least pass
// runs next. Source: Waldspurger and Weihl, "Stride Scheduling" (1995).
class StridePolicy final : public SharePolicy {
 public:
  void Join(Entity& entity, Arrival arrival) override;
  void Leave(Entity& entity, bool waiting) override;
  Entity* Take() override;
  void PutBack(Entity& entity, bool yields) override;
  void Charge(Entity& running, Nanoseconds ran) override;
  bool ShouldSwitch(const Entity& running) const override;
  Entity* Spare(unsigned cpu) override;
  bool has_waiting() const override { return !waiting_.empty(); }

 private:
  struct Traits {
    static int64_t KeyOf(const Entity& entity) { return entity.pass; }
  };
  Tree<Entity, Traits, Entity> waiting_;
  int64_t now_ = 0;  // where newcomers begin: the least pass of all
};

}  // namespace zrun::hal::sched
