// futex(2) and its table of operations; robust lists.
#include "compat/futex.h"

#include "compat/abi/process.h"
#include "compat/posix_timers.h"
#include "compat/syscall_table.h"
#include "compat/time_argument.h"

namespace zrun::compat {

namespace {

enum : int {
  kWait = 0,
  kWake = 1,
  kRequeue = 3,
  kCmpRequeue = 4,
  kWakeOp = 5,
  kLockPi = 6,
  kUnlockPi = 7,
  kTrylockPi = 8,
  kWaitBitset = 9,
  kWakeBitset = 10,
  kLockPi2 = 13,
  kPrivateFlag = 128,
  kClockRealtimeFlag = 256,
};

// FUTEX_WAIT counts from now, the others name a moment.
Result<hal::Deadline> DeadlineFor(Task& task, int operation, bool realtime,
                                  UserPtr<const abi::Timespec> timeout) {
  if (!timeout) return hal::Deadline::Never();
  const hal::Nanoseconds time = TRY(DurationOf(TRY(task.memory().Read(timeout))));
  if (operation == kWait) return DeadlineAfter(time);
  return DeadlineOnClock(realtime ? kClockRealtime : kClockMonotonic, time);
}

}  // namespace

SyscallResult sys_futex(Task& task, UserAddr address, FutexOperation operation, uint32_t value,
                        UserAddr timeout_or_count, UserAddr second, uint32_t value3) {
  const int op = int(operation) & ~(kPrivateFlag | kClockRealtimeFlag);
  const bool shared = !(int(operation) & kPrivateFlag);
  const bool realtime = int(operation) & kClockRealtimeFlag;
  const uint64_t word = address.address;
  if (realtime && op != kWait && op != kWaitBitset && op != kLockPi2) return Errno::kENOSYS;
  const UserPtr<const abi::Timespec> timeout(timeout_or_count.address);
  const int32_t count = int32_t(timeout_or_count.address);
  switch (op) {
    case kWait:
    case kWaitBitset: {
      FutexWait wait{word, value, op == kWait ? ~0u : value3, shared, hal::Deadline::Never()};
      wait.deadline = TRY(DeadlineFor(task, op, realtime, timeout));
      return WaitOnFutex(task, wait);
    }
    case kWake:
      return WakeFutex(task, word, shared, std::max(value, 1u), ~0u);
    case kWakeBitset:
      return WakeFutex(task, word, shared, std::max(value, 1u), value3);
    case kRequeue:
      return RequeueFutex(task,
                          {word, second.address, shared, int32_t(value), count, std::nullopt});
    case kCmpRequeue:
      return RequeueFutex(task, {word, second.address, shared, int32_t(value), count, value3});
    case kWakeOp:
      return WakeOpFutex(task, word, second.address, shared, int32_t(value), count, value3);
    case kLockPi:
    case kLockPi2: {
      const bool wall = op == kLockPi || realtime;
      return LockPiFutex(task, word, shared, TRY(DeadlineFor(task, op, wall, timeout)), false);
    }
    case kTrylockPi:
      return LockPiFutex(task, word, shared, hal::Deadline::Never(), true);
    case kUnlockPi:
      return UnlockPiFutex(task, word, shared);
    default:
      return Errno::kENOSYS;
  }
}

namespace {

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
    constexpr uint32_t kSize32 = 2;
    if (word.reserved || (word.flags & ~uint32_t{kPrivateFlag}) != kSize32) return Errno::kEINVAL;
    FutexWaiter& waiter = waiters_[queued_];
    waiter.key = TRY(MakeFutexKey(task_, word.address, !(word.flags & kPrivateFlag)));
    FutexBucket& bucket = task_.kernel().futexes().BucketOf(waiter.key);
    MutexLock lock(bucket.lock);
    const uint32_t value = TRY(task_.memory().LoadWord(UserPtr<const uint32_t>(word.address)));
    if (value != uint32_t(word.value)) return Errno::kEAGAIN;
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
                              uint32_t flags, UserPtr<const abi::Timespec> timeout, int32_t clock) {
  if (flags != 0 || count == 0 || count > WaitVector::kMost || !words) return Errno::kEINVAL;
  hal::Deadline deadline = hal::Deadline::Never();
  if (timeout) {
    if (clock != kClockRealtime && clock != kClockMonotonic) return Errno::kEINVAL;
    const hal::Nanoseconds at = TRY(DurationOf(TRY(task.memory().Read(timeout))));
    deadline = DeadlineOnClock(clock, at);
  }
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

SyscallResult sys_set_robust_list(Task& task, UserAddr head, uint64_t size) {
  if (size != sizeof(abi::RobustListHead)) return Errno::kEINVAL;
  task.robust_list = head.address;
  return 0;
}

SyscallResult sys_get_robust_list(Task& task, int32_t pid, UserPtr<uint64_t> head,
                                  UserPtr<uint64_t> size) {
  uint64_t address = task.robust_list;
  if (pid != 0 && pid != task.tid()) {
    MutexLock lock(Kernel::Get().lock());
    Task* other = Kernel::Get().pids().FindTask(pid);
    if (!other) return Errno::kESRCH;
    if (&other->group() != &task.group() && !task.Has(vfs::Capability::kSysPtrace) &&
        other->credentials()->uid != task.credentials()->euid)
      return Errno::kEPERM;
    address = other->robust_list;
  }
  TRY(task.memory().Write(size, sizeof(abi::RobustListHead)));
  TRY(task.memory().Write(head, address));
  return 0;
}

}  // namespace zrun::compat
