#pragma once
#include <array>

#include "base/vector.h"
#include "compat/abi/signal.h"
#include "hal/clock.h"
#include "objects/ipc/timer.h"
#include "objects/sync/mutex.h"

namespace zrun::compat {

class Task;
class ThreadGroup;

// A point of a timer's own clock, and how often again.
struct TimerValue {
  hal::Nanoseconds at = 0;  // 0: not armed
  hal::Nanoseconds interval = 0;
};

// A POSIX timer, or one of a process's interval timers (setitimer). Guarded by its process's
// PosixTimers lock. The last reference is dropped without that lock, for the destructor waits for
// OnDeadline().
class PosixTimer final : public RefCounted<PosixTimer>, public DeadlineCallback {
 public:
  static constexpr int kIntervalTimer = -1;  // as id: sends its signal without si_timerid
  static Result<RefPtr<PosixTimer>> Create(ThreadGroup& group, int id, int clock,
                                           const abi::SigEvent& event);
  // The signal it had queued has been taken: arms it again and tells how often it expired
  // meanwhile. No lock held.
  void OnDelivered(abi::SigInfo& info);

 private:
  friend class PosixTimers;
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> zrun::MakeRef(Args&&...);
  PosixTimer(ThreadGroup& group, int id, int clock, const abi::SigEvent& event);
  friend class RefCounted<PosixTimer>;
  ~PosixTimer();
  void OnDeadline() override;
  hal::Nanoseconds Now() const;
  bool counts_cpu_time() const;
  // Sets the alarm for value_.at.
  void Schedule();
  // |running|: the thread whose time has made it expire, which is to take the signal; null: any.
  void Expire(Task* running);
  bool Queue(const abi::SigInfo& info, Task* running);
  // For CPU clocks, by one of the process's own threads.
  void CheckCpuTime(Task& running);
  // Adds what it missed up to |now| to the overrun and moves value_.at into the future.
  void Forward(hal::Nanoseconds now);

  const RefPtr<ThreadGroup> group_;
  bool deleted_ = false;
  const int id_;
  const int clock_;
  const abi::SigEvent event_;
  TimerValue value_;
  int64_t overrun_ = 0;       // since the last delivery
  int32_t last_overrun_ = 0;  // timer_getoverrun
  bool queued_ = false;
  hal::Nanoseconds patience_ = 0;  // CPU clocks: until the process's threads are asked again
};

// RLIMIT_CPU: SIGXCPU at the soft limit, which is then a second more, and SIGKILL at the hard one.
class CpuLimitWatch final : public DeadlineCallback {
 public:
  ~CpuLimitWatch() { Cancel(); }
  // The limit was set, or inherited. No lock held.
  void Start(ThreadGroup& group);
  void Stop() { Cancel(); }
  // By one of the process's own threads, which alone know exactly.
  void Check(ThreadGroup& group, Task& running);

 private:
  void OnDeadline() override;
  void Await(ThreadGroup& group, hal::Nanoseconds used);
  std::atomic<int32_t> pid_{0};
};

// The timers of a process.
class PosixTimers {
 public:
  static constexpr size_t kMaxTimers = 4096;
  // As sigev_notify of Create: SIGALRM with the timer's number, timer_create's default.
  static constexpr int32_t kDefaultNotify = -1;
  PosixTimers();
  ~PosixTimers();

  // timer_create ... timer_delete. EINVAL for an unknown id.
  Result<int> Create(ThreadGroup& group, int clock, const abi::SigEvent& event) EXCLUDES(lock_);
  Result<void> Delete(int id) EXCLUDES(lock_);
  // Times are relative on the way out, and on the way in unless |absolute|.
  Result<TimerValue> Set(int id, TimerValue value, bool absolute) EXCLUDES(lock_);
  Result<TimerValue> Get(int id) EXCLUDES(lock_);
  Result<int> Overrun(int id) EXCLUDES(lock_);
  // setitimer: |which| is ITIMER_REAL 0, ITIMER_VIRTUAL 1, ITIMER_PROF 2.
  Result<TimerValue> SetInterval(ThreadGroup& group, int which, TimerValue value) EXCLUDES(lock_);
  TimerValue GetInterval(int which) EXCLUDES(lock_);
  // RLIMIT_CPU changed, or a process starts with one.
  void WatchCpuLimit(ThreadGroup& group) EXCLUDES(lock_) { cpu_limit_.Start(group); }
  // Task::kAttendClock: whether timers on CPU time of |running|'s process have expired, or its
  // limit is reached.
  void CheckCpuTimers(Task& running) EXCLUDES(lock_);
  // exec deletes the POSIX timers; exit all.
  void DeletePosix() EXCLUDES(lock_);
  void DeleteAll() EXCLUDES(lock_);

 private:
  friend class PosixTimer;
  Result<RefPtr<PosixTimer>> Find(int id) REQUIRES(lock_);
  static void Remove(PosixTimer& timer);
  static TimerValue Remaining(PosixTimer& timer);
  static TimerValue Change(PosixTimer& timer, TimerValue value, bool absolute);
  Mutex lock_{LockRank::kThreadGroup};
  Vector<RefPtr<PosixTimer>> timers_ GUARDED_BY(lock_);
  size_t next_ GUARDED_BY(lock_) = 0;
  std::array<RefPtr<PosixTimer>, 3> intervals_ GUARDED_BY(lock_);
  CpuLimitWatch cpu_limit_;
};

// Clocks a process can read and set timers on: CLOCK_* and the CPU clocks of processes and threads
// by number (clockid_t encodings of clock_getcpuclockid(3)). EINVAL if there is no such clock.
Result<hal::Nanoseconds> ReadClock(int clock);
// The monotonic moment at which |clock|, which is none of CPU time, shows |value|.
hal::Deadline DeadlineOnClock(int clock, hal::Nanoseconds value);
// Of setitimer alone: the process's user time.
inline constexpr int kClockVirtual = 1000;
inline constexpr int kClockRealtime = 0, kClockMonotonic = 1, kClockProcessCpu = 2,
                     kClockThreadCpu = 3, kClockMonotonicRaw = 4, kClockRealtimeCoarse = 5,
                     kClockMonotonicCoarse = 6, kClockBoottime = 7, kClockRealtimeAlarm = 8,
                     kClockBoottimeAlarm = 9, kClockTai = 11;

}  // namespace zrun::compat
