#pragma once
#include <cstdint>

#include "hal/clock.h"

namespace zrun::hal {

// How the counter's ticks become time. Also the vDSO's data.
struct Timekeeping {
  uint64_t multiplier;
  uint32_t shift;
  uint64_t ticks_per_second;
  Nanoseconds realtime_offset;  // CLOCK_REALTIME minus CLOCK_MONOTONIC

  // The product has up to 96 bits.
  Nanoseconds ToNanoseconds(uint64_t ticks) const {
    return Nanoseconds(static_cast<unsigned __int128>(ticks) * multiplier >> shift);
  }
  uint64_t ToTicks(Nanoseconds time) const {
    if (time == INT64_MAX) return UINT64_MAX;
    const uint64_t seconds = uint64_t(time) / uint64_t(kSecond);
    const uint64_t rest = uint64_t(time) % uint64_t(kSecond);
    return seconds * ticks_per_second + rest * ticks_per_second / uint64_t(kSecond) + 1;
  }
};
const Timekeeping& GetTimekeeping();

}  // namespace zrun::hal
