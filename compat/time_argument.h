#pragma once
#include "compat/abi/types.h"
#include "compat/task.h"

namespace zrun::compat {

// EINVAL for a negative one and for a fraction of a second that is more than one.
inline Result<hal::Nanoseconds> DurationOf(const abi::Timespec& time) {
  if (time.seconds < 0 || time.nanoseconds < 0 || time.nanoseconds >= hal::kSecond)
    return Errno::kEINVAL;
  if (time.seconds >= INT64_MAX / hal::kSecond) return INT64_MAX;
  return time.seconds * hal::kSecond + time.nanoseconds;
}
inline abi::Timespec ToTimespec(hal::Nanoseconds time) {
  return {time / hal::kSecond, time % hal::kSecond};
}
// The moment |duration| from now; Never() where it is too far away to matter.
inline hal::Deadline DeadlineAfter(hal::Nanoseconds duration) {
  const hal::Nanoseconds now = hal::MonotonicNow();
  return duration >= INT64_MAX - now ? hal::Deadline::Never() : hal::Deadline{now + duration};
}
// The end of a wait whose timeout is given in guest memory; a null pointer means for ever.
inline Result<hal::Deadline> ReadTimeout(Task& task, UserPtr<const abi::Timespec> timeout) {
  if (!timeout) return hal::Deadline::Never();
  return DeadlineAfter(TRY(DurationOf(TRY(task.memory().Read(timeout)))));
}
inline hal::Nanoseconds TimeLeft(hal::Deadline deadline) {
  return std::max<hal::Nanoseconds>(deadline.at - hal::MonotonicNow(), 0);
}
// Tells what is left of a wait's timeout. False: the call must not be restarted with it, for it
// could not be told, or must not be (STICKY_TIMEOUTS of personality(2)).
template <typename Time>
bool TellTimeLeft(Task& task, UserPtr<Time> timeout, const Time& left) {
  constexpr uint32_t kStickyTimeouts = 0x4000000;
  if (!timeout) return true;
  return !(task.personality & kStickyTimeouts) && task.memory().Write(timeout, left).ok();
}

}  // namespace zrun::compat
