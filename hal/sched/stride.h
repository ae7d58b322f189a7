#pragma once
#include "hal/sched/entity.h"

namespace zrun::hal::sched {

// Stride scheduling: a thread's pass grows by what it runs, divided by its weight; the least pass
// runs next. Source: Waldspurger and Weihl, "Stride Scheduling" (1995).
class StridePolicy final : public SharePolicy {
 public:
  void Join(Entity& entity, Arrival arrival, const Progress& all) override;
  void Leave(Entity& entity, bool waiting, const Progress& all) override;
  Entity* Take() override;
  void PutBack(Entity& entity, bool yields) override;
  void Charge(Entity& running, Nanoseconds ran) override;
  void Reweigh(Entity& running, uint32_t weight) override;
  Progress Now() const override { return {beginning_ + now_, weights_}; }
  void Rewind(int64_t time) override { beginning_ -= time; }
  bool ShouldSwitch(const Entity& running) const override;
  Entity* Spare(unsigned cpu, int64_t most_weight) override;
  bool has_waiting() const override { return !waiting_.empty(); }

 private:
  struct Traits {
    static int64_t KeyOf(const Entity& entity) { return entity.pass; }
  };
  Tree<Entity, Traits, Entity> waiting_;
  int64_t now_ = 0;        // the least pass of all
  int64_t weights_ = 0;    // of all, waiting and running
  int64_t beginning_ = 0;  // the machine's virtual time where the queue's was 0
};

}  // namespace zrun::hal::sched
