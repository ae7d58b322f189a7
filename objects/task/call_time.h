#pragma once
#include "hal/clock.h"

namespace zrun {

// The time of day as one system call sees it: the clock is read when it is first asked for, and
// once. Linux stamps files by a coarse clock for the same reason. A call that has slept, or that
// moves much in pieces, forgets it and looks again. One thread's own.
class CallTime {
 public:
  hal::Nanoseconds Get() {
    if (at_ == 0) at_ = hal::RealtimeNow();
    return at_;
  }
  void Forget() { at_ = 0; }

  // Of the caller's call; on a kernel service thread the clock's, unless all that it does is one
  // piece of work (SetForService).
  static hal::Nanoseconds Now();
  // The boot makes some hundred files. Null: no such work is under way.
  static void SetForService(CallTime* time);

 private:
  hal::Nanoseconds at_ = 0;
};

}  // namespace zrun
