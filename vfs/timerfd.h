#pragma once
#include "vfs/file_description.h"

namespace zrun::vfs {

struct TimerSetting {
  hal::Nanoseconds value = 0;  // until the first expiration; 0: not armed
  hal::Nanoseconds interval = 0;
};
// timerfd_create(2): EINVAL for a clock it does not take. |flags|: kNonBlock.
Result<RefPtr<FileDescription>> CreateTimerFd(int clock, OpenFlags flags);
// timerfd_settime(2) and gettime: EINVAL if |file| is no timerfd. |flags|: TFD_TIMER_ABSTIME 1,
// TFD_TIMER_CANCEL_ON_SET 2. Returns what was set before.
Result<TimerSetting> SetTimerFd(FileDescription& file, uint32_t flags, TimerSetting setting);
Result<TimerSetting> GetTimerFd(FileDescription& file);

}  // namespace zrun::vfs
