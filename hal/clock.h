#pragma once
#include <cstdint>

namespace zrun::hal {

using Nanoseconds = int64_t;
inline constexpr Nanoseconds kSecond = 1'000'000'000;

// A moment on the monotonic clock.
struct Deadline {
  Nanoseconds at;
  static constexpr Deadline Never() { return {INT64_MAX}; }
  constexpr bool is_never() const { return at == INT64_MAX; }
};
Nanoseconds MonotonicNow();
Nanoseconds RealtimeNow();
// Includes time asleep (CLOCK_BOOTTIME).
Nanoseconds BoottimeNow();

}  // namespace zrun::hal
