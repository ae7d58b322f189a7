#include "objects/ipc/timer.h"

#include <algorithm>
#include <limits>
#include <new>

#include "hal/thread.h"

namespace zrun {

using hal::Deadline;
using hal::Nanoseconds;

// All deadlines, in order, and the thread that sleeps until the first.
class TimerQueue {
 public:
  void Arm(DeadlineCallback& callback, Deadline deadline) EXCLUDES(lock_);
  bool Cancel(DeadlineCallback& callback) EXCLUDES(lock_);
  Deadline DeadlineOf(const DeadlineCallback& callback) EXCLUDES(lock_);
  void SetThread(hal::Thread& thread) EXCLUDES(lock_);
  [[noreturn]] void Run();

 private:
  struct Traits {
    static Nanoseconds KeyOf(const DeadlineCallback& callback) { return callback.at_; }
  };
  // Runs what is due; returns when the next is.
  Deadline RunDue() EXCLUDES(lock_);

  Mutex lock_{LockRank::kLeaf};
  Tree<DeadlineCallback, Traits, DeadlineCallback> armed_ GUARDED_BY(lock_);
  DeadlineCallback* running_ GUARDED_BY(lock_) = nullptr;
  hal::Thread* thread_ GUARDED_BY(lock_) = nullptr;
  std::atomic<uint32_t> runs_{0};  // callbacks that have ended
};

namespace {

// Never destroyed: a destructor would have to be registered.
alignas(TimerQueue) constinit std::byte g_storage[sizeof(TimerQueue)] = {};
constinit std::atomic<bool> g_ready{false};

TimerQueue& Queue() { return *std::launder(reinterpret_cast<TimerQueue*>(g_storage)); }

void ServiceEntry(void*) { Queue().Run(); }

}  // namespace

Result<void> StartTimerService() {
  if (g_ready.exchange(true)) return {};
  new (g_storage) TimerQueue;
  auto thread = hal::StartThread(nullptr, {&ServiceEntry, nullptr});
  if (!thread.ok()) return thread.error();
  Queue().SetThread(*thread.value());
  return {};
}

void TimerQueue::SetThread(hal::Thread& thread) {
  MutexLock lock(lock_);
  thread_ = &thread;
  hal::Unpark(thread);
}

void TimerQueue::Arm(DeadlineCallback& callback, Deadline deadline) {
  MutexLock lock(lock_);
  if (callback.is_in_tree()) armed_.Remove(callback);
  if (deadline.is_never()) return;
  callback.at_ = deadline.at;
  armed_.Insert(callback);
  if (armed_.First() == &callback && thread_) hal::Unpark(*thread_);
}

bool TimerQueue::Cancel(DeadlineCallback& callback) {
  bool was_armed = false;
  for (;;) {
    uint32_t runs;
    {
      MutexLock lock(lock_);
      if (callback.is_in_tree()) {
        armed_.Remove(callback);
        was_armed = true;
      }
      if (running_ != &callback || &hal::CurrentThread() == thread_) return was_armed;
      runs = runs_.load(std::memory_order_relaxed);
    }
    hal::WaitOnWord(runs_, runs, Deadline::Never());
  }
}

Deadline TimerQueue::DeadlineOf(const DeadlineCallback& callback) {
  MutexLock lock(lock_);
  return callback.is_in_tree() ? Deadline{callback.at_} : Deadline::Never();
}

Deadline TimerQueue::RunDue() {
  for (;;) {
    DeadlineCallback* due;
    {
      MutexLock lock(lock_);
      due = armed_.First();
      if (!due) return Deadline::Never();
      if (due->at_ > hal::MonotonicNow()) return {due->at_};
      armed_.Remove(*due);
      running_ = due;
    }
    due->OnDeadline();  // which may be the end of it
    {
      MutexLock lock(lock_);
      running_ = nullptr;
      runs_.fetch_add(1, std::memory_order_relaxed);
    }
    hal::WakeWord(runs_, std::numeric_limits<uint32_t>::max());
  }
}

void TimerQueue::Run() {
  for (;;) hal::Park(RunDue(), hal::Interruptible::kNo);
}

void DeadlineCallback::Arm(Deadline deadline) { Queue().Arm(*this, deadline); }
bool DeadlineCallback::Cancel() { return Queue().Cancel(*this); }
Deadline DeadlineCallback::deadline() const { return Queue().DeadlineOf(*this); }

Result<RefPtr<Timer>> Timer::Create() { return MakeRef<Timer>(); }

Timer::~Timer() { callback_.Cancel(); }

Timer::Setting Timer::Set(Setting setting) {
  MutexLock lock(lock_);
  const Setting old = setting_;
  setting_ = setting;
  expirations_ = 0;
  // Under the lock, so that an expiration of the old setting that is on its way finds itself early.
  UpdateSignals(Signals::kReadable | Signals::kSignaled, Signals::kNone);
  callback_.Arm(setting.next);
  return old;
}

Timer::Setting Timer::setting() const {
  MutexLock lock(lock_);
  return setting_;
}

uint64_t Timer::TakeExpirations() {
  MutexLock lock(lock_);
  const uint64_t taken = expirations_;
  expirations_ = 0;
  UpdateSignals(Signals::kReadable | Signals::kSignaled, Signals::kNone);
  return taken;
}

void Timer::Expire() {
  MutexLock lock(lock_);
  const Nanoseconds now = hal::MonotonicNow();
  if (setting_.next.at > now) return;  // it was set anew meanwhile
  if (setting_.period > 0) {
    const Nanoseconds periods = 1 + (now - setting_.next.at) / setting_.period;
    expirations_ += uint64_t(periods);
    setting_.next.at += periods * setting_.period;
    // Nobody can tell periods shorter than this from their number, and the service thread has
    // others to serve.
    constexpr Nanoseconds kShortest = 50'000;
    callback_.Arm({std::max(setting_.next.at, now + kShortest)});
  } else {
    expirations_++;
    setting_.next = Deadline::Never();
  }
  UpdateSignals(Signals::kNone, Signals::kReadable | Signals::kSignaled);
}

}  // namespace zrun
