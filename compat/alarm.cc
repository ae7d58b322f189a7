#include "compat/alarm.h"

#include "hal/thread.h"
#include "objects/sync/mutex.h"

namespace zrun::compat {
namespace {

struct Clock {
  Mutex lock{LockRank::kTimer};
  IntrusiveList<Alarm, Alarm> alarms GUARDED_BY(lock);  // soonest first
  hal::Thread* thread GUARDED_BY(lock) = nullptr;
};
alignas(Clock) constinit std::byte g_clock_storage[sizeof(Clock)] = {};
constinit std::atomic<Clock*> g_clock{nullptr};

Clock& TheClock() {
  Clock* clock = g_clock.load(std::memory_order_acquire);
  if (!clock) {  // while booting, before there are other threads
    clock = new (g_clock_storage) Clock;
    g_clock.store(clock, std::memory_order_release);
  }
  return *clock;
}

}  // namespace

Alarm::~Alarm() { Disarm(); }

void Alarm::Arm(hal::Deadline at) {
  Clock& clock = TheClock();
  MutexLock lock(clock.lock);
  Unlink();
  if (at.is_never()) return;
  at_ = at.at;
  Alarm* before = nullptr;
  for (Alarm& other : clock.alarms) {
    if (other.at_ > at_) {
      before = &other;
      break;
    }
  }
  if (before) {
    clock.alarms.Insert(*before, *this);
  } else {
    clock.alarms.PushBack(*this);
  }
  if (clock.alarms.front() == this && clock.thread) hal::Unpark(*clock.thread);
}

void Alarm::Disarm() {
  MutexLock lock(TheClock().lock);
  Unlink();
}

Result<void> Alarm::StartService() {
  hal::Thread* thread = TRY(hal::StartThread(nullptr, {&Alarm::Serve, nullptr}));
  Clock& clock = TheClock();
  MutexLock lock(clock.lock);
  clock.thread = thread;
  hal::Unpark(*thread);
  return {};
}

void Alarm::Serve(void*) {
  Clock& clock = TheClock();
  for (;;) {
    RefPtr<Alarm> due;
    hal::Deadline next = hal::Deadline::Never();
    {
      MutexLock lock(clock.lock);
      if (Alarm* first = clock.alarms.front()) {
        if (first->at_ > hal::MonotonicNow()) {
          next.at = first->at_;
        } else {
          first->Unlink();
          next.at = 0;
          // One whose last reference is gone waits for the lock to take itself out.
          if (first->TryAddRef()) due = RefPtr<Alarm>::Adopt(first);
        }
      }
    }
    if (due) {
      due->OnAlarm();
    } else if (next.at != 0) {
      hal::Park(next, hal::Interruptible::kNo);
    }
  }
}

}  // namespace zrun::compat
