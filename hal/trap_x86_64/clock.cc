#include "hal/clock.h"

#include "hal/trap_x86_64/host_call.h"

namespace zrun::hal {
namespace {

Nanoseconds ReadClock(int clock) {
  struct {
    int64_t seconds, nanoseconds;
  } time = {};
  HostCall(HostNumber::kClockGettime, clock, &time);
  return time.seconds * kSecond + time.nanoseconds;
}

}  // namespace

Nanoseconds MonotonicNow() { return ReadClock(1); }
Nanoseconds RealtimeNow() { return ReadClock(0); }
Nanoseconds BoottimeNow() { return ReadClock(7); }

}  // namespace zrun::hal
