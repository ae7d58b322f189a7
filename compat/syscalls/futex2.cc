// The calls of futex2: one for each operation, with flags for the word (<linux/futex.h>).
#include "compat/abi/process.h"
#include "compat/futex.h"
#include "compat/posix_timers.h"
#include "compat/syscall_table.h"
#include "compat/time_argument.h"

namespace zrun::compat {
namespace {

// FUTEX2_*. Words of other sizes than 32 bits, and per node, are not in Linux 6.12 either.
constexpr uint32_t kSizeMask = 3, kSize32 = 2, kPrivate = 128;

Result<void> CheckFlags(uint32_t flags) {
  if ((flags & ~(kSizeMask | kPrivate)) || (flags & kSizeMask) != kSize32) return Errno::kEINVAL;
  return {};
}
bool IsShared(uint32_t flags) { return !(flags & kPrivate); }

// A value or mask must fit the word.
Result<uint32_t> Fit(uint64_t value) {
  if (value > UINT32_MAX) return Errno::kEINVAL;
  return uint32_t(value);
}

Result<void> CheckWord(const abi::FutexWaitv& word) {
  if (word.reserved) return Errno::kEINVAL;
  TRY(CheckFlags(word.flags));
  TRY(Fit(word.value));
  return {};
}

// A moment on one of two clocks; null: for ever, whatever |clock| says.
Result<hal::Deadline> ReadDeadline(Task& task, UserPtr<const abi::Timespec> timeout,
                                   ClockId clock) {
  if (!timeout) return hal::Deadline::Never();
  if (int32_t(clock) != kClockRealtime && int32_t(clock) != kClockMonotonic) return Errno::kEINVAL;
  return DeadlineOnClock(int32_t(clock), TRY(DurationOf(TRY(task.memory().Read(timeout)))));
}

// The words of futex_waitv, queued one after another.
class WaitVector {
 public:
  static constexpr size_t kMost = 128;
  explicit WaitVector(Task& task) : task_(task) {}
  ~WaitVector() {
    for (size_t i = 0; i < queued_; i++) task_.kernel().futexes().Cancel(waiters_[i]);
  }
  Result<void> Allocate(size_t count) {
    waiters_.reset(new (std::nothrow) FutexWaiter[count]);
    if (!waiters_) return Errno::kENOMEM;
    return {};
  }
  // EAGAIN if its value is not the expected one.
  Result<void> Add(const abi::FutexWaitv& word) {
    TRY(CheckWord(word));
    FutexWaiter& waiter = waiters_[queued_];
    waiter.key = TRY(MakeFutexKey(task_, word.address, IsShared(word.flags)));
    FutexBucket& bucket = task_.kernel().futexes().BucketOf(waiter.key);
    MutexLock lock(bucket.lock);
    const uint32_t value = TRY(task_.memory().LoadWord(UserPtr<const uint32_t>(word.address)));
    if (value != uint32_t(word.value)) return Errno::kEAGAIN;
    waiter.priority = task_.rt_priority.load();
    FutexTable::Queue(bucket, waiter);
    queued_++;
    return {};
  }
  // Which one has been woken; -1 if none. The last counts, as on Linux.
  int Woken() const {
    for (size_t i = queued_; i-- > 0;)
      if (!waiters_[i].is_queued()) return int(i);
    return -1;
  }

 private:
  Task& task_;
  std::unique_ptr<FutexWaiter[]> waiters_;
  size_t queued_ = 0;
};

}  // namespace

SyscallResult sys_futex_waitv(Task& task, UserPtr<const abi::FutexWaitv> words, uint32_t count,
                              uint32_t flags, UserPtr<const abi::Timespec> timeout, ClockId clock) {
  if (flags != 0 || count == 0 || count > WaitVector::kMost || !words) return Errno::kEINVAL;
  const hal::Deadline deadline = TRY(ReadDeadline(task, timeout, clock));
  WaitVector waiters(task);
  TRY(waiters.Allocate(count));
  for (uint32_t i = 0; i < count; i++) {
    auto added = waiters.Add(TRY(task.memory().Read(words.at(i))));
    if (added.ok()) continue;
    if (const int woken = waiters.Woken(); woken >= 0) return uint64_t(woken);
    return added.error();
  }
  for (;;) {
    if (const int woken = waiters.Woken(); woken >= 0) return uint64_t(woken);
    switch (task.ParkFor(deadline)) {
      case Task::Pause::kAwake:
        break;
      case Task::Pause::kTimedOut:
        if (const int woken = waiters.Woken(); woken >= 0) return uint64_t(woken);
        return Errno::kETIMEDOUT;
      case Task::Pause::kInterrupted:
        if (const int woken = waiters.Woken(); woken >= 0) return uint64_t(woken);
        return Errno::kRestartSys;
    }
  }
}

SyscallResult sys_futex_wait(Task& task, UserAddr address, uint64_t value, uint64_t mask,
                             uint32_t flags, UserPtr<const abi::Timespec> timeout, ClockId clock) {
  TRY(CheckFlags(flags));
  FutexWait wait{address.address, TRY(Fit(value)), TRY(Fit(mask)), IsShared(flags),
                 hal::Deadline::Never()};
  wait.deadline = TRY(ReadDeadline(task, timeout, clock));
  return WaitOnFutex(task, wait);
}

// Unlike FUTEX_WAKE, a count of none wakes none.
SyscallResult sys_futex_wake(Task& task, UserAddr address, uint64_t mask, int32_t count,
                             uint32_t flags) {
  TRY(CheckFlags(flags));
  const uint32_t bits = TRY(Fit(mask));
  if (bits == 0) return Errno::kEINVAL;
  if (count == 0) {
    TRY(MakeFutexKey(task, address.address, IsShared(flags)));
    return 0;
  }
  return WakeFutex(task, address.address, IsShared(flags), uint32_t(std::max(count, 1)), bits);
}

SyscallResult sys_futex_requeue(Task& task, UserPtr<const abi::FutexWaitv> words, uint32_t flags,
                                int32_t wake, int32_t move) {
  if (flags || !words) return Errno::kEINVAL;
  abi::FutexWaitv pair[2];
  for (size_t i = 0; i < 2; i++) {
    pair[i] = TRY(task.memory().Read(words.at(i)));
    TRY(CheckWord(pair[i]));
  }
  // One kind of key for both, as futex(2) has it.
  if (pair[0].flags != pair[1].flags) return Errno::kEINVAL;
  return RequeueFutex(task, {pair[0].address, pair[1].address, IsShared(pair[0].flags), wake, move,
                             uint32_t(pair[0].value)});
}

}  // namespace zrun::compat
