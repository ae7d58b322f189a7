#include "compat/load_average.h"

#include <gtest/gtest.h>

namespace zrun::compat {
namespace {

uint64_t After(uint64_t average, uint64_t active, unsigned span, int samples) {
  while (samples-- > 0) average = NextLoadAverage(average, active, span);
  return average;
}

TEST(LoadAverage, FollowsWhatRuns) {
  constexpr uint64_t kOne = 1 << 11;
  for (unsigned span = 0; span < 3; span++) {
    const int samples[3] = {12, 60, 180};  // as long as the span
    const uint64_t load = After(0, 4 * kOne, span, samples[span]);
    EXPECT_NEAR(double(load) / kOne, 4 * 0.632, 0.02);  // 1 - 1/e
    EXPECT_EQ(After(load, 4 * kOne, span, 100'000), 4 * kOne);
    EXPECT_EQ(After(load, 0, span, 100'000), 0u);
  }
}

}  // namespace
}  // namespace zrun::compat
