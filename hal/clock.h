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
// Linux's clocks of those names. Where programs read some of them without the kernel (a vDSO), they
// are the same here.
enum class Clock : uint8_t {
  kRealtime,
  kMonotonic,
  kMonotonicRaw,
  kRealtimeCoarse,
  kMonotonicCoarse,
  kBoottime,
  kTai,
};
Nanoseconds Now(Clock clock);
// How often the coarse ones advance.
Nanoseconds CoarseClockTick();

inline Nanoseconds MonotonicNow() { return Now(Clock::kMonotonic); }
inline Nanoseconds RealtimeNow() { return Now(Clock::kRealtime); }
inline Nanoseconds BoottimeNow() { return Now(Clock::kBoottime); }

}  // namespace zrun::hal
