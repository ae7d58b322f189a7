#pragma once
#include "compat/task.h"

namespace zrun::compat {

// <linux/futex.h>
inline constexpr uint32_t kFutexWaiters = 0x80000000, kFutexOwnerDied = 0x40000000,
                          kFutexTidMask = 0x3fffffff;

// What a word at |address| of the caller's memory is known by. |shared|: also to others that map
// it. EFAULT where nothing is mapped, EINVAL if it is not aligned.
Result<FutexKey> MakeFutexKey(Task& task, uint64_t address, bool shared);

// FUTEX_WAIT and its kin: EAGAIN if the word is not |expected|, ETIMEDOUT, kRestart*.
struct FutexWait {
  uint64_t address;
  uint32_t expected;
  uint32_t bitset;
  bool shared;
  hal::Deadline deadline;
};
SyscallResult WaitOnFutex(Task& task, const FutexWait& wait);
SyscallResult WakeFutex(Task& task, uint64_t address, bool shared, uint32_t count, uint32_t bitset);
struct FutexRequeue {
  uint64_t from, to;
  bool shared;
  int32_t wake, move;
  std::optional<uint32_t> expected;
};
SyscallResult RequeueFutex(Task& task, const FutexRequeue& requeue);
// FUTEX_WAIT_REQUEUE_PI: |second| is the lock it is moved to, and holds when it returns 0.
SyscallResult WaitToLockFutex(Task& task, const FutexWait& wait, uint64_t second);
// FUTEX_CMP_REQUEUE_PI: the first of those gets the lock at |to| if it is free, the others wait for
// it. EINVAL if one of them waits otherwise, or for another lock.
SyscallResult RequeueToLock(Task& task, const FutexRequeue& requeue);
SyscallResult WakeOpFutex(Task& task, uint64_t address, uint64_t second, bool shared, int32_t count,
                          int32_t second_count, uint32_t operation);

// Both buckets' locks, in the order of their addresses.
class TwoBuckets {
 public:
  TwoBuckets(FutexBucket& a, FutexBucket& b) : both_(a.lock, b.lock) {}

 private:
  LockBoth both_;
};

// Locks with an owner, whose number the word holds (PI).
SyscallResult LockPiFutex(Task& task, uint64_t address, bool shared, hal::Deadline deadline,
                          bool try_only);
SyscallResult UnlockPiFutex(Task& task, uint64_t address, bool shared);
// The owner of a lock on its robust list ends: the next one gets it, marked.
void HandOverPiFutex(Task& dead, uint64_t address);
// The same for locks that are on no list: whoever waits for |task|, which leaves its program, gets
// the lock or looks again. If it |exits|, nobody can begin to wait for it any more.
void ReleasePiWaiters(Task& task, bool exits);

}  // namespace zrun::compat
