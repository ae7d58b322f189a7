#pragma once
#include "hal/sched/entity.h"

namespace zrun::hal::sched {

// EEVDF: of those that have received no more than their share (received <= the weighted average),
// the one whose next slice is due first. Source: Stoica and Abdel-Wahab, "Earliest Eligible Virtual
// Deadline First" (1995); Linux's kernel/sched/fair.c uses the same rules since 6.6.
class FairPolicy final : public SharePolicy {
 public:
  void Join(Entity& entity, Arrival arrival, const Progress& all) override;
  void Leave(Entity& entity, bool waiting, const Progress& all) override;
  Entity* Take() override;
  void PutBack(Entity& entity, bool yields) override;
  void Charge(Entity& running, Nanoseconds ran) override;
  void Reweigh(Entity& running, uint32_t weight) override;
  Progress Now() const override { return {beginning_ + Average(), weights_}; }
  void Rewind(int64_t time) override { beginning_ -= time; }
  bool ShouldSwitch(const Entity& running) const override;
  Entity* Spare(unsigned cpu, int64_t most_weight) override;
  bool has_waiting() const override { return !waiting_.empty(); }

 private:
  struct Traits {
    static int64_t KeyOf(const Entity& entity) { return entity.due; }
    static void Update(Entity& entity);
  };
  using Waiting = Tree<Entity, Traits, Entity>;

  int64_t Average() const { return weights_ ? base_ + weighted_ / weights_ : base_; }
  Entity* Earliest() const;
  void Count(const Entity& entity, int sign);
  void Rebase();

  // Ordered by when their slices are due.
  Waiting waiting_;
  // Sums over all, waiting and running: of weights, and of weight * (received - base_).
  int64_t weights_ = 0;
  int64_t weighted_ = 0;
  int64_t base_ = 0;
  int64_t beginning_ = 0;  // the machine's virtual time where the queue's was 0
};

}  // namespace zrun::hal::sched
