#include "compat/posix_timers.h"
#include "compat/task.h"

namespace zrun::compat {

namespace {

// clock_getcpuclockid(3): ~pid << 3 | kind. Kinds 0, 1 and 2: all time, user time, all time; 4 for
// a thread.
constexpr int kPerThread = 4, kKindMask = 3;

Result<hal::Nanoseconds> ReadCpuClock(int clock) {
  const int kind = clock & kKindMask;
  if (kind == kKindMask) return Errno::kEINVAL;  // a device's clock
  const int32_t id = ~(clock >> 3);
  // Null where a timer's time has come: that names its thread or process by number.
  Task* self = static_cast<Task*>(Thread::Current());
  hal::CpuTimes times{};
  if (clock & kPerThread) {
    RefPtr<Task> task(self);
    if (id != 0) {
      MutexLock lock(Kernel::Get().lock());
      task = RefPtr<Task>(Kernel::Get().pids().FindTask(id));
      // Only one's own threads.
      if (task && self && &task->group() != &self->group()) return Errno::kEINVAL;
    }
    if (!task) return Errno::kEINVAL;
    times = task->cpu_times();
  } else {
    RefPtr<ThreadGroup> group;
    if (self && (id == 0 || id == self->group().pid())) {
      group = self->group_ref();
    } else {
      MutexLock lock(Kernel::Get().lock());
      group = RefPtr<ThreadGroup>(Kernel::Get().pids().FindGroup(id));
      if (!group) return Errno::kEINVAL;
    }
    times = group->cpu_times();
  }
  constexpr int kUserOnly = 1;
  return kind == kUserOnly ? times.user : times.user + times.system;
}

}  // namespace

Result<hal::Nanoseconds> ReadClock(int clock) {
  switch (clock) {
    case kClockRealtime:
    case kClockRealtimeAlarm:
      return hal::Now(hal::Clock::kRealtime);
    case kClockMonotonic:
      return hal::Now(hal::Clock::kMonotonic);
    case kClockMonotonicRaw:
      return hal::Now(hal::Clock::kMonotonicRaw);
    case kClockRealtimeCoarse:
      return hal::Now(hal::Clock::kRealtimeCoarse);
    case kClockMonotonicCoarse:
      return hal::Now(hal::Clock::kMonotonicCoarse);
    case kClockBoottime:
    case kClockBoottimeAlarm:
      return hal::Now(hal::Clock::kBoottime);
    case kClockTai:
      return hal::Now(hal::Clock::kTai);
    case kClockProcessCpu: {
      const hal::CpuTimes times = Task::Current().group().cpu_times();
      return times.user + times.system;
    }
    case kClockThreadCpu: {
      const hal::CpuTimes times = Task::Current().cpu_times();
      return times.user + times.system;
    }
    default:
      if (clock < 0) return ReadCpuClock(clock);
      return Errno::kEINVAL;
  }
}

}  // namespace zrun::compat
