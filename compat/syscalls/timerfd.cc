#include "vfs/timerfd.h"

#include "compat/file_params.h"
#include "compat/syscall_table.h"
#include "compat/time_argument.h"

namespace zrun::compat {
namespace {

constexpr int32_t kClockRealtimeAlarm = 8, kClockBoottimeAlarm = 9;

abi::Itimerspec ToGuest(const vfs::TimerSetting& setting) {
  return {ToTimespec(setting.interval), ToTimespec(setting.value)};
}

}  // namespace

SyscallResult sys_timerfd_create(Task& task, ClockId clock, TimerFdFlags flags) {
  using enum TimerFdFlags;
  if (!HasOnly(flags, kNonBlock | kCloseOnExec)) return Errno::kEINVAL;
  const bool wakes = int32_t(clock) == kClockRealtimeAlarm || int32_t(clock) == kClockBoottimeAlarm;
  constexpr uint8_t kCapWakeAlarm = 35;
  if (wakes && !task.Has(vfs::Capability(kCapWakeAlarm))) return Errno::kEPERM;
  auto file = TRY(vfs::CreateTimerFd(int32_t(clock), OpenFlags(uint32_t(flags & kNonBlock))));
  return task.InstallFile(std::move(file), HasAny(flags, kCloseOnExec));
}

SyscallResult sys_timerfd_settime(Task& task, Fd fd, TimerSetFlags flags,
                                  UserPtr<const abi::Itimerspec> value,
                                  UserPtr<abi::Itimerspec> old_value) {
  const auto given = TRY(task.memory().Read(value));
  if (!HasOnly(flags, TimerSetFlags::kAbsolute | TimerSetFlags::kCancelOnSet))
    return Errno::kEINVAL;
  vfs::TimerSetting setting;
  setting.value = TRY(DurationOf(given.value));
  setting.interval = TRY(DurationOf(given.interval));
  const auto file = TRY(task.fds().Get(fd));
  const auto old = TRY(vfs::SetTimerFd(*file, uint32_t(flags), setting));
  if (old_value) TRY(task.memory().Write(old_value, ToGuest(old)));
  return 0;
}

SyscallResult sys_timerfd_gettime(Task& task, Fd fd, UserPtr<abi::Itimerspec> value) {
  const auto file = TRY(task.fds().Get(fd));
  TRY(task.memory().Write(value, ToGuest(TRY(vfs::GetTimerFd(*file)))));
  return 0;
}

}  // namespace zrun::compat
