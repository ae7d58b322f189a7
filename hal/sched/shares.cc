#include "hal/sched/shares.h"

namespace zrun::hal::sched {

// Those whose part is a processor or more, the heaviest first, have one each; the others divide
// what is left. Counts change meanwhile: then the next look is right.
void Shares::Divide() {
  uint64_t threads = 0, weights = 0;
  for (size_t i = 0; i < kWeights.size(); i++) {
    const uint64_t count = counts_[i].load(std::memory_order_relaxed);
    threads += count;
    weights += count * kWeights[i];
  }
  are_scarce_.store(threads > processors_, std::memory_order_relaxed);
  uint64_t processors = processors_;
  uint64_t per_weight = uint64_t{kWholeProcessor} << kFraction;
  for (size_t i = 0; i < kWeights.size() && weights > 0; i++) {
    const uint64_t count = counts_[i].load(std::memory_order_relaxed);
    if (count == 0) continue;
    if (kWeights[i] * processors < weights || processors <= count) {
      per_weight = (uint64_t{kWholeProcessor} << kFraction) * processors / weights;
      break;
    }
    processors -= count;
    weights -= std::min(weights, count * kWeights[i]);
  }
  per_weight_.store(per_weight, std::memory_order_relaxed);
}

void Shares::Publish(unsigned processor, const Progress& progress) {
  published_[processor].time.store(progress.time, std::memory_order_relaxed);
  published_[processor].weights.store(progress.weights, std::memory_order_relaxed);
}

Progress Shares::Average(int64_t otherwise) const {
  Progress all{.time = otherwise};
  int64_t weighted = 0;  // relative to |otherwise|
  for (unsigned i = 0; i < processors_; i++) {
    const int64_t weights = published_[i].weights.load(std::memory_order_relaxed);
    all.weights += weights;
    weighted += weights * (published_[i].time.load(std::memory_order_relaxed) - otherwise);
  }
  if (all.weights > 0) all.time += weighted / all.weights;
  return all;
}

}  // namespace zrun::hal::sched
