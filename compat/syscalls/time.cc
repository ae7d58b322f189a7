// Clocks and sleeping (clock_gettime(2), nanosleep(2)).
#include "compat/posix_timers.h"
#include "compat/syscall_table.h"
#include "compat/time_argument.h"

namespace zrun::compat {
namespace {

// Writes what is left of an interrupted relative sleep.
SyscallResult ResumeNanosleep(Task& task, const RestartState& state);

SyscallResult SleepUntil(Task& task, hal::Deadline deadline, UserPtr<abi::Timespec> remaining) {
  const auto slept = task.Sleep(deadline);
  if (slept.ok() || slept.error() == Errno::kETIMEDOUT) return 0;
  if (remaining) TRY(task.memory().Write(remaining, ToTimespec(TimeLeft(deadline))));
  return task.RestartWith(ResumeNanosleep, {uint64_t(deadline.at), remaining.address()});
}

SyscallResult ResumeNanosleep(Task& task, const RestartState& state) {
  return SleepUntil(task, hal::Deadline{int64_t(state.arguments[0])},
                    UserPtr<abi::Timespec>(state.arguments[1]));
}

// CPU clocks do not advance with the time of day: looked at again and again.
SyscallResult SleepOnCpuClock(Task& task, int32_t clock, hal::Nanoseconds until) {
  for (;;) {
    const hal::Nanoseconds now = TRY(ReadClock(clock));
    if (now >= until) return 0;
    const auto slept =
        task.Sleep(DeadlineAfter(std::max<hal::Nanoseconds>((until - now) / 4, 1'000'000)));
    if (!slept.ok() && slept.error() != Errno::kETIMEDOUT) return Errno::kRestartNoHand;
  }
}

}  // namespace

SyscallResult sys_clock_gettime(Task& task, int32_t clock, UserPtr<abi::Timespec> time) {
  const hal::Nanoseconds now = TRY(ReadClock(clock));
  TRY(task.memory().Write(time, ToTimespec(now)));
  return 0;
}

SyscallResult sys_clock_getres(Task& task, int32_t clock, UserPtr<abi::Timespec> resolution) {
  TRY(ReadClock(clock));
  const bool coarse = clock == kClockRealtimeCoarse || clock == kClockMonotonicCoarse;
  if (resolution)
    TRY(task.memory().Write(resolution, ToTimespec(coarse ? hal::CoarseClockTick() : 1)));
  return 0;
}

SyscallResult sys_clock_settime(Task& task, int32_t clock, UserPtr<const abi::Timespec> time) {
  if (clock != kClockRealtime) {
    TRY(ReadClock(clock));
    return Errno::kEINVAL;
  }
  TRY(DurationOf(TRY(task.memory().Read(time))));
  return Errno::kEPERM;  // the clock is the host's
}

SyscallResult sys_clock_adjtime(Task&, int32_t clock, UserAddr) {
  TRY(ReadClock(clock));
  return Errno::kEPERM;
}
SyscallResult sys_adjtimex(Task&, UserAddr) { return Errno::kEPERM; }
SyscallResult sys_settimeofday(Task&, UserAddr, UserAddr) { return Errno::kEPERM; }

SyscallResult sys_gettimeofday(Task& task, UserPtr<abi::Timeval> time, UserAddr zone) {
  const hal::Nanoseconds now = hal::RealtimeNow();
  if (time)
    TRY(task.memory().Write(time, abi::Timeval{now / hal::kSecond, now % hal::kSecond / 1000}));
  struct Timezone {
    int32_t minutes_west, dst_time;
  };
  if (zone.address) TRY(task.memory().Write(UserPtr<Timezone>(zone.address), Timezone{0, 0}));
  return 0;
}

SyscallResult sys_time(Task& task, UserPtr<int64_t> time) {
  const int64_t now = hal::RealtimeNow() / hal::kSecond;
  if (time) TRY(task.memory().Write(time, now));
  return uint64_t(now);
}

SyscallResult sys_times(Task& task, UserAddr buffer) {
  constexpr hal::Nanoseconds kClockTick = 10'000'000;  // USER_HZ=100
  struct Tms {
    int64_t user, system, children_user, children_system;
  };
  if (buffer.address) {
    const Usage own = task.group().usage();
    Usage children;
    {
      MutexLock lock(task.kernel().lock());
      children = task.group().children_usage;
    }
    TRY(task.memory().Write(UserPtr<Tms>(buffer.address),
                            Tms{own.user / kClockTick, own.system / kClockTick,
                                children.user / kClockTick, children.system / kClockTick}));
  }
  return uint64_t(hal::MonotonicNow() / kClockTick);
}

SyscallResult sys_nanosleep(Task& task, UserPtr<const abi::Timespec> duration,
                            UserPtr<abi::Timespec> remaining) {
  const hal::Nanoseconds wanted = TRY(DurationOf(TRY(task.memory().Read(duration))));
  return SleepUntil(task, DeadlineAfter(wanted), remaining);
}

SyscallResult sys_clock_nanosleep(Task& task, int32_t clock, uint32_t flags,
                                  UserPtr<const abi::Timespec> duration,
                                  UserPtr<abi::Timespec> remaining) {
  constexpr uint32_t kAbsolute = 1;
  if (clock == kClockThreadCpu || clock == kClockMonotonicRaw || clock == kClockRealtimeCoarse ||
      clock == kClockMonotonicCoarse)
    return Errno::kEOPNOTSUPP;
  const hal::Nanoseconds now = TRY(ReadClock(clock));
  const hal::Nanoseconds wanted = TRY(DurationOf(TRY(task.memory().Read(duration))));
  if (clock == kClockProcessCpu || clock < 0) {
    const hal::Nanoseconds until = (flags & kAbsolute)        ? wanted
                                   : wanted > INT64_MAX - now ? INT64_MAX
                                                              : now + wanted;
    return SleepOnCpuClock(task, clock, until);
  }
  if (!(flags & kAbsolute)) return SleepUntil(task, DeadlineAfter(wanted), remaining);
  const auto slept = task.Sleep(DeadlineAfter(std::max<hal::Nanoseconds>(wanted - now, 0)));
  if (slept.ok() || slept.error() == Errno::kETIMEDOUT) return 0;
  return Errno::kRestartNoHand;
}

}  // namespace zrun::compat
