#pragma once
#include <array>
#include <atomic>

#include "hal/sched/entity.h"

namespace zrun::hal::sched {

// What makes the processors' queues fair among each other. All measure virtual time alike: a
// thread's goes on by what it runs, divided by the part of a processor that is its due among all
// threads of the machine. So where everybody has his due, virtual time is real time in every queue.
// A queue that is ahead of another has too little to do, and takes threads over; if there are none
// that it could take, it has had time that nobody wanted, which is not charged. A thread can have
// no more than one processor: what its weight gives it beyond that is the others'.
//
// Any processor calls this, under the lock of its own queue.
class Shares {
 public:
  static constexpr unsigned kMostProcessors = 64;
  explicit Shares(unsigned processors) : processors_(processors) {}

  // Of those that want to run and share: one of that class comes, or goes.
  void Add(uint8_t weight_class) { counts_[weight_class].fetch_add(1, std::memory_order_relaxed); }
  void Subtract(uint8_t weight_class) {
    counts_[weight_class].fetch_sub(1, std::memory_order_relaxed);
  }
  // Parts follow who is there; what follows is the part of one.
  void Divide();
  uint32_t PartOf(uint8_t weight_class) const {
    const uint64_t part =
        kWeights[weight_class] * per_weight_.load(std::memory_order_relaxed) >> kFraction;
    return uint32_t(std::clamp<uint64_t>(part, 1, kWholeProcessor));
  }
  // Whether there are more threads than processors.
  bool are_scarce() const { return are_scarce_.load(std::memory_order_relaxed); }

  // What the queue of |processor| has come to; what all have, on average: |otherwise| if they are
  // empty.
  void Publish(unsigned processor, const Progress& progress);
  Progress Average(int64_t otherwise) const;

 private:
  static constexpr unsigned kFraction = 20;
  struct Published {
    std::atomic<int64_t> time{0}, weights{0};
  };
  const unsigned processors_;
  std::array<std::atomic<uint32_t>, kWeights.size()> counts_{};
  std::atomic<uint64_t> per_weight_{uint64_t{kWholeProcessor} << kFraction};
  std::atomic<bool> are_scarce_{false};
  std::array<Published, kMostProcessors> published_{};
};

}  // namespace zrun::hal::sched
