// futex(2) and its table of operations; robust lists.
#include "compat/futex.h"

#include "compat/abi/process.h"
#include "compat/inspect.h"
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
  kWaitRequeuePi = 11,
  kCmpRequeuePi = 12,
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
  const bool has_clock = op == kWait || op == kWaitBitset || op == kWaitRequeuePi || op == kLockPi2;
  if (realtime && !has_clock) return Errno::kENOSYS;
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
    case kWaitRequeuePi: {
      const FutexWait wait{word, value, ~0u, shared, TRY(DeadlineFor(task, op, realtime, timeout))};
      return WaitToLockFutex(task, wait, second.address);
    }
    case kCmpRequeuePi:
      return RequeueToLock(task, {word, second.address, shared, int32_t(value), count, value3});
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
    if (!MayInspect(task, *other)) return Errno::kEPERM;
    address = other->robust_list;
  }
  TRY(task.memory().Write(size, sizeof(abi::RobustListHead)));
  TRY(task.memory().Write(head, address));
  return 0;
}

}  // namespace zrun::compat
