// POSIX timers, interval timers, alarm(2).
#include "compat/abi/process.h"
#include "compat/posix_timers.h"
#include "compat/rusage.h"
#include "compat/syscall_table.h"
#include "compat/time_argument.h"

namespace zrun::compat {

using namespace abi;
using hal::Nanoseconds;

namespace {

constexpr int kMaxClock = 11;

Itimerspec ToItimerspec(const TimerValue& value) {
  return {ToTimespec(value.interval), ToTimespec(value.at)};
}

Result<TimerValue> FromItimerspec(const Itimerspec& spec) {
  TimerValue value;
  value.interval = TRY(DurationOf(spec.interval));
  value.at = TRY(DurationOf(spec.value));
  return value;
}

Result<void> CheckEvent(Task& task, const SigEvent& event) {
  constexpr int32_t kThreadSignal = kSigEvSignal | kSigEvThreadId;
  switch (event.notify) {
    case kSigEvNone:
      return {};
    case kThreadSignal: {
      MutexLock lock(Kernel::Get().lock());
      Task* target = Kernel::Get().pids().FindTask(event.tid);
      if (!target || &target->group() != &task.group()) return Errno::kEINVAL;
      [[fallthrough]];
    }
    case kSigEvSignal:
    case kSigEvThread:
      if (!IsValidSignal(event.signo)) return Errno::kEINVAL;
      return {};
    default:
      return Errno::kEINVAL;
  }
}

}  // namespace

SyscallResult sys_timer_create(Task& task, int32_t clock, UserPtr<const SigEvent> event,
                               UserPtr<int32_t> id) {
  int number = clock;
  if (number > kMaxClock || number == 10) return Errno::kEINVAL;
  TRY(ReadClock(number));
  if (number == kClockMonotonicRaw || number == kClockRealtimeCoarse ||
      number == kClockMonotonicCoarse)
    return Errno::kEOPNOTSUPP;
  if ((number == kClockRealtimeAlarm || number == kClockBoottimeAlarm) &&
      !task.Has(vfs::Capability(35)))  // CAP_WAKE_ALARM
    return Errno::kEPERM;
  // A thread's clock by the thread's number: the timer's own thread is another.
  constexpr int kPerThreadSched = 6, kPerProcessSched = 2;
  if (number == kClockThreadCpu) number = ~task.tid() << 3 | kPerThreadSched;
  if (number == kClockProcessCpu) number = ~task.group().pid() << 3 | kPerProcessSched;
  SigEvent wanted{};
  if (event) {
    wanted = TRY(task.memory().Read(event));
    TRY(CheckEvent(task, wanted));
  } else {
    wanted.notify = PosixTimers::kDefaultNotify;
  }
  const int created = TRY(task.group().timers().Create(task.group(), number, wanted));
  if (auto written = task.memory().Write(id, created); !written.ok()) {
    static_cast<void>(task.group().timers().Delete(created));
    return written.error();
  }
  return 0;
}

SyscallResult sys_timer_delete(Task& task, int32_t id) {
  TRY(task.group().timers().Delete(id));
  return 0;
}

SyscallResult sys_timer_settime(Task& task, int32_t id, TimerFlags flags,
                                UserPtr<const Itimerspec> value, UserPtr<Itimerspec> old) {
  if (!value) return Errno::kEINVAL;
  const TimerValue wanted = TRY(FromItimerspec(TRY(task.memory().Read(value))));
  const bool absolute = int(flags) & int(TimerFlags::kAbsolute);
  const TimerValue before = TRY(task.group().timers().Set(id, wanted, absolute));
  if (old) TRY(task.memory().Write(old, ToItimerspec(before)));
  return 0;
}

SyscallResult sys_timer_gettime(Task& task, int32_t id, UserPtr<Itimerspec> value) {
  const TimerValue now = TRY(task.group().timers().Get(id));
  TRY(task.memory().Write(value, ToItimerspec(now)));
  return 0;
}

SyscallResult sys_timer_getoverrun(Task& task, int32_t id) {
  return uint64_t(TRY(task.group().timers().Overrun(id)));
}

// ---- setitimer
namespace {

// Rounded up: a timer that runs must not seem to have stopped.
Itimerval ToItimerval(const TimerValue& value) {
  return {ToTimeval(value.interval), ToTimeval(value.at + 999)};
}

Result<Nanoseconds> DurationOfTimeval(const Timeval& time) {
  if (time.microseconds < 0 || time.microseconds >= 1'000'000 || time.seconds < 0)
    return Errno::kEINVAL;
  if (time.seconds >= INT64_MAX / hal::kSecond) return INT64_MAX;
  return time.seconds * hal::kSecond + time.microseconds * 1000;
}

bool IsIntervalTimer(IntervalTimer which) { return int(which) >= 0 && int(which) <= 2; }

}  // namespace

SyscallResult sys_setitimer(Task& task, IntervalTimer which, UserPtr<const Itimerval> value,
                            UserPtr<Itimerval> old) {
  TimerValue wanted;
  if (value) {
    const Itimerval given = TRY(task.memory().Read(value));
    wanted.at = TRY(DurationOfTimeval(given.value));
    wanted.interval = TRY(DurationOfTimeval(given.interval));
  }
  if (!IsIntervalTimer(which)) return Errno::kEINVAL;
  const TimerValue before =
      TRY(task.group().timers().SetInterval(task.group(), int(which), wanted));
  if (old) TRY(task.memory().Write(old, ToItimerval(before)));
  return 0;
}

SyscallResult sys_getitimer(Task& task, IntervalTimer which, UserPtr<Itimerval> value) {
  if (!IsIntervalTimer(which)) return Errno::kEINVAL;
  TRY(task.memory().Write(value, ToItimerval(task.group().timers().GetInterval(int(which)))));
  return 0;
}

SyscallResult sys_alarm(Task& task, uint32_t seconds) {
  const TimerValue wanted{int64_t(seconds) * hal::kSecond, 0};
  const TimerValue before = TRY(task.group().timers().SetInterval(task.group(), 0, wanted));
  if (before.at == 0) return 0;
  // To the nearest second, but never 0 for one that is set.
  const int64_t left = (before.at + hal::kSecond / 2) / hal::kSecond;
  return uint64_t(std::max<int64_t>(left, 1));
}

}  // namespace zrun::compat
