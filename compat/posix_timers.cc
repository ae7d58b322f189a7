#include "compat/posix_timers.h"

#include <algorithm>

#include "compat/signal_send.h"

namespace zrun::compat {

using namespace abi;
using hal::Nanoseconds;

namespace {

constexpr Nanoseconds kNever = INT64_MAX;
// How exactly a limit on CPU time is met: there is no tick to hang it on.
constexpr Nanoseconds kCpuResolution = 1'000'000;

Nanoseconds AddClamped(Nanoseconds a, Nanoseconds b) {
  Nanoseconds sum;
  return __builtin_add_overflow(a, b, &sum) ? kNever : sum;
}

}  // namespace

hal::Deadline DeadlineOnClock(int clock, Nanoseconds value) {
  switch (clock) {
    case kClockRealtime:
    case kClockRealtimeAlarm:
    case kClockTai:
      return {AddClamped(value, hal::MonotonicNow() - hal::RealtimeNow())};
    case kClockBoottime:
    case kClockBoottimeAlarm:
      return {AddClamped(value, hal::MonotonicNow() - hal::BoottimeNow())};
    default:
      return {value};
  }
}

// ---- One timer
Result<RefPtr<PosixTimer>> PosixTimer::Create(ThreadGroup& group, int id, int clock,
                                              const SigEvent& event) {
  return MakeRef<PosixTimer>(group, id, clock, event);
}

PosixTimer::PosixTimer(ThreadGroup& group, int id, int clock, const SigEvent& event)
    : group_(&group), id_(id), clock_(clock), event_(event) {}

PosixTimer::~PosixTimer() { Cancel(); }

bool PosixTimer::counts_cpu_time() const {
  return clock_ == kClockProcessCpu || clock_ == kClockVirtual || clock_ < 0;
}

// Only a process's own threads can tell exactly how much time they have used: those that run are
// asked to look (PosixTimers::CheckCpuTimers).
void DemandClockCheck(ThreadGroup& group) {
  MutexLock lock(group.signal_lock);
  for (Task& task : group.tasks)
    if (!task.IsParked()) task.Demand(Task::kAttendClock);
}

Nanoseconds PosixTimer::Now() const {
  if (clock_ == kClockVirtual) return group_->cpu_times().user;
  if (clock_ == kClockProcessCpu) {
    const hal::CpuTimes times = group_->cpu_times();
    return times.user + times.system;
  }
  auto now = ReadClock(clock_);
  return now.ok() ? now.value() : 0;
}

void PosixTimer::Schedule() {
  if (value_.at == 0 || event_.notify == kSigEvNone) {
    Arm(hal::Deadline::Never());
    return;
  }
  if (!counts_cpu_time()) {
    Arm(DeadlineOnClock(clock_, value_.at));
    return;
  }
  // The time can be reached no sooner than with all threads running.
  const Nanoseconds left = value_.at - Now();
  const int threads = std::max(group_->thread_count(), 1);
  patience_ = std::max(left / threads, kCpuResolution);
  Arm({hal::MonotonicNow() + patience_});
}

void PosixTimer::Forward(Nanoseconds now) {
  if (value_.interval == 0) {
    value_.at = 0;
    return;
  }
  if (value_.at > now) return;
  const int64_t periods = (now - value_.at) / value_.interval + 1;
  value_.at = AddClamped(value_.at, periods * value_.interval);
  overrun_ += periods;
}

void PosixTimer::OnDeadline() {
  PosixTimers& timers = group_->timers();
  MutexLock lock(timers.lock_);
  if (deleted_ || value_.at == 0) return;
  if (counts_cpu_time()) {
    // While nobody runs there is nothing to see, and less and less reason to look.
    constexpr Nanoseconds kMostPatience = 100'000'000;
    DemandClockCheck(*group_);
    if (patience_ < kMostPatience) patience_ *= 2;
    Arm({hal::MonotonicNow() + patience_});
    return;
  }
  if (value_.at > Now()) {
    Schedule();
    return;
  }
  Expire(nullptr);
}

void PosixTimer::CheckCpuTime(Task& running) {
  if (!counts_cpu_time() || value_.at == 0 || queued_ || event_.notify == kSigEvNone) return;
  if (value_.at > Now()) {
    Schedule();
  } else {
    Expire(&running);
  }
}

void PosixTimer::Expire(Task* running) {
  if (id_ == kIntervalTimer) {
    {
      MutexLock lock(group_->signal_lock);
      static_cast<void>(SendLocked(*group_, nullptr, running ? running : group_->leader,
                                   SigInfo::Make(event_.signo, kSiKernel), Force::kNo, nullptr));
    }
    Forward(Now());
    overrun_ = 0;
    Schedule();
    return;
  }
  // One signal at a time: expirations until it is taken count as its overrun.
  overrun_ = 0;
  SigInfo info = SigInfo::Make(event_.signo, kSiTimer);
  info.SetTimer(id_, 0);
  info.SetValue(event_.value);
  if (!Queue(info, running)) {
    // What is ignored, or found no room, is never taken: the timer goes on by itself.
    Forward(Now());
    Schedule();
  }
}

// True if it is pending now, and will be delivered.
bool PosixTimer::Queue(const SigInfo& info, Task* running) {
  ThreadGroup& group = *group_;
  MutexLock lock(group.signal_lock);
  Task* target = nullptr;
  if (event_.notify & kSigEvThreadId) {
    for (Task& task : group.tasks)
      if (task.tid() == event_.tid) target = &task;
    if (!target) return false;
  }
  queued_ = SendLocked(group, target, running ? running : group.leader, info, Force::kNo,
                       RefPtr<PosixTimer>(this))
                .ok();
  const SignalQueue& queue = target ? target->signal_state().queue : group.shared_queue;
  queued_ = queued_ && queue.pending().Has(event_.signo);
  return queued_;
}

void PosixTimer::OnDelivered(SigInfo& info) {
  MutexLock lock(group_->timers().lock_);
  if (deleted_ || !queued_) return;
  queued_ = false;
  // The first of the periods is the expiration itself.
  const Nanoseconds now = Now();
  Forward(now);
  last_overrun_ = int32_t(std::clamp<int64_t>(overrun_ - (overrun_ > 0), 0, INT32_MAX));
  overrun_ = 0;
  info.SetTimer(id_, last_overrun_);
  Schedule();
}

// ---- RLIMIT_CPU
namespace {

Nanoseconds TimeUsed(ThreadGroup& group) {
  const hal::CpuTimes times = group.cpu_times();
  return times.user + times.system;
}

Nanoseconds LimitTime(uint64_t seconds) {
  return seconds < uint64_t(kNever / hal::kSecond) ? int64_t(seconds) * hal::kSecond : kNever;
}

}  // namespace

void CpuLimitWatch::Start(ThreadGroup& group) {
  if (group.limits().soft(Limit::kCpu) == kUnlimited) return;  // if armed, OnDeadline() sees it
  pid_.store(group.pid());
  Await(group, TimeUsed(group));
}

// The limit can be reached no sooner than with all threads running.
void CpuLimitWatch::Await(ThreadGroup& group, Nanoseconds used) {
  const LimitValue limit = group.limits().Get(Limit::kCpu);
  if (limit.soft == kUnlimited) return;
  const Nanoseconds left = LimitTime(std::min(limit.soft, limit.hard)) - used;
  const int threads = std::max(group.thread_count(), 1);
  Arm({AddClamped(hal::MonotonicNow(), std::max(left / threads, kCpuResolution))});
}

void CpuLimitWatch::Check(ThreadGroup& group, Task& running) {
  LimitValue limit = group.limits().Get(Limit::kCpu);
  if (limit.soft == kUnlimited) return;
  const Nanoseconds used = TimeUsed(group);
  const bool at_hard = used >= LimitTime(limit.hard);
  if (!at_hard && used < LimitTime(limit.soft)) return Await(group, used);
  {
    MutexLock lock(group.signal_lock);
    static_cast<void>(SendLocked(group, nullptr, &running,
                                 SigInfo::Make(at_hard ? kSigKill : kSigXcpu, kSiKernel),
                                 Force::kNo, nullptr));
  }
  if (at_hard) return;
  limit.soft++;  // as getrlimit(2) shows it then, too
  group.limits().Set(Limit::kCpu, limit);
  Await(group, used);
}

void CpuLimitWatch::OnDeadline() {
  RefPtr<ThreadGroup> group;
  {
    MutexLock lock(Kernel::Get().lock());
    group = RefPtr<ThreadGroup>(Kernel::Get().pids().FindGroup(pid_.load()));
  }
  if (!group) return;
  const LimitValue limit = group->limits().Get(Limit::kCpu);
  if (limit.soft == kUnlimited) return;
  // Seen from outside, the time used is nearly exact: those that run are asked when it is near.
  const Nanoseconds used = TimeUsed(*group);
  constexpr Nanoseconds kNear = 20'000'000;
  if (used < LimitTime(std::min(limit.soft, limit.hard)) - kNear) return Await(*group, used);
  DemandClockCheck(*group);
  Arm({hal::MonotonicNow() + kNear});
}

// ---- A process's timers
PosixTimers::PosixTimers() = default;
PosixTimers::~PosixTimers() = default;
Result<RefPtr<PosixTimer>> PosixTimers::Find(int id) {
  if (id < 0 || size_t(id) >= timers_.size() || !timers_[size_t(id)]) return Errno::kEINVAL;
  return timers_[size_t(id)];
}

Result<int> PosixTimers::Create(ThreadGroup& group, int clock, const SigEvent& event) {
  MutexLock lock(lock_);
  // Numbers are used anew as late as possible.
  for (size_t tries = 0; tries < kMaxTimers; tries++) {
    const size_t id = next_;
    next_ = (next_ + 1) % kMaxTimers;
    if (id >= timers_.size()) TRY(timers_.Resize(id + 1));
    if (timers_[id]) continue;
    SigEvent its_event = event;
    if (event.notify == kDefaultNotify) {
      its_event.notify = kSigEvSignal;
      its_event.signo = kSigAlrm;
      its_event.value = id;
    }
    timers_[id] = TRY(PosixTimer::Create(group, int(id), clock, its_event));
    return int(id);
  }
  return Errno::kEAGAIN;
}

Result<void> PosixTimers::Delete(int id) {
  RefPtr<PosixTimer> timer;
  MutexLock lock(lock_);
  timer = TRY(Find(id));
  timers_[size_t(id)] = nullptr;
  Remove(*timer);
  return {};
}

void PosixTimers::Remove(PosixTimer& timer) {
  timer.value_ = {};
  timer.deleted_ = true;
  timer.Arm(hal::Deadline::Never());
  ThreadGroup& group = *timer.group_;
  MutexLock lock(group.signal_lock);
  group.shared_queue.DiscardTimer(timer);
  for (Task& task : group.tasks) task.signal_state().queue.DiscardTimer(timer);
}

void PosixTimers::CheckCpuTimers(Task& running) {
  cpu_limit_.Check(running.group(), running);
  MutexLock lock(lock_);
  for (RefPtr<PosixTimer>& timer : intervals_)
    if (timer) timer->CheckCpuTime(running);
  for (RefPtr<PosixTimer>& timer : timers_)
    if (timer) timer->CheckCpuTime(running);
}

TimerValue PosixTimers::Remaining(PosixTimer& timer) {
  TimerValue left = timer.value_;
  if (left.at == 0) return left;
  const Nanoseconds now = timer.Now();
  // Without a signal nobody counts the periods but we, now.
  if (timer.event_.notify == kSigEvNone || timer.queued_) {
    if (left.interval && left.at <= now)
      left.at += ((now - left.at) / left.interval + 1) * left.interval;
  }
  if (left.at <= now) {
    // About to expire: zero would say "not armed".
    left.at = timer.event_.notify == kSigEvNone && left.interval == 0 ? 0 : 1;
  } else {
    left.at -= now;
  }
  return left;
}

TimerValue PosixTimers::Change(PosixTimer& timer, TimerValue value, bool absolute) {
  const TimerValue old = Remaining(timer);
  timer.queued_ = false;
  timer.overrun_ = 0;
  timer.last_overrun_ = 0;
  timer.value_ = value;
  if (value.at != 0 && !absolute) timer.value_.at = AddClamped(timer.Now(), value.at);
  timer.Schedule();
  return old;
}

Result<TimerValue> PosixTimers::Set(int id, TimerValue value, bool absolute) {
  MutexLock lock(lock_);
  auto timer = TRY(Find(id));
  return Change(*timer, value, absolute);
}

Result<TimerValue> PosixTimers::Get(int id) {
  MutexLock lock(lock_);
  auto timer = TRY(Find(id));
  return Remaining(*timer);
}

Result<int> PosixTimers::Overrun(int id) {
  MutexLock lock(lock_);
  return TRY(Find(id))->last_overrun_;
}

Result<TimerValue> PosixTimers::SetInterval(ThreadGroup& group, int which, TimerValue value) {
  constexpr struct {
    int clock;
    int signo;
  } kKinds[] = {
      {kClockMonotonic, kSigAlrm}, {kClockVirtual, kSigVtAlrm}, {kClockProcessCpu, kSigProf}};
  MutexLock lock(lock_);
  RefPtr<PosixTimer>& timer = intervals_[size_t(which)];
  if (!timer) {
    SigEvent event{};
    event.signo = kKinds[which].signo;
    timer = TRY(PosixTimer::Create(group, PosixTimer::kIntervalTimer, kKinds[which].clock, event));
  }
  return Change(*timer, value, false);
}

TimerValue PosixTimers::GetInterval(int which) {
  MutexLock lock(lock_);
  RefPtr<PosixTimer>& timer = intervals_[size_t(which)];
  return timer ? Remaining(*timer) : TimerValue{};
}

void PosixTimers::DeletePosix() {
  for (size_t id = 0;; id++) {
    {
      MutexLock lock(lock_);
      if (id >= timers_.size()) break;
      if (!timers_[id]) continue;
    }
    static_cast<void>(Delete(int(id)));
  }
}

void PosixTimers::DeleteAll() {
  cpu_limit_.Stop();
  DeletePosix();
  std::array<RefPtr<PosixTimer>, 3> intervals;
  MutexLock lock(lock_);
  std::swap(intervals, intervals_);
  for (RefPtr<PosixTimer>& timer : intervals)
    if (timer) Remove(*timer);
}

}  // namespace zrun::compat
