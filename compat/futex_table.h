#pragma once
#include <array>

#include "base/intrusive_list.h"
#include "base/ref_ptr.h"
#include "hal/thread.h"
#include "objects/sync/mutex.h"

namespace zrun::compat {

class Task;

// What a futex word is known by: (address space, address) if it is private, (memory object,
// offset) if it is shared between address spaces.
struct FutexKey {
  const void* object = nullptr;
  uint64_t offset = 0;
  bool operator==(const FutexKey&) const = default;
};

struct FutexBucket;

// A sleeper on one word. Guarded by the lock of the bucket it is in, where the first to be woken is
// first: by priority, then by who came first.
struct FutexWaiter : ListNode<FutexWaiter> {
  FutexKey key;
  uint32_t bitset = ~0u;
  hal::Thread* thread = nullptr;
  int priority = 0;  // of a real-time policy, when it was queued; 0 for others
  // FUTEX_LOCK_PI: who gets the lock, and the thread that holds it. |owner_died| is set before the
  // waker lets go: the waiter has to look at the word again.
  Task* task = nullptr;
  int32_t owner = 0;
  bool owner_died = false;
  // FUTEX_WAIT_REQUEUE_PI: the lock it is to be moved to, where it becomes |task|; null otherwise.
  Task* moving_task = nullptr;
  FutexKey moves_to;
  int index = -1;  // futex_waitv
  // Where it is queued; null once it was woken. Changes with the bucket's lock held (requeueing:
  // both buckets').
  std::atomic<FutexBucket*> bucket{nullptr};
  // Whether the waker is done with it: only then may it go out of scope.
  enum Release : uint32_t { kHeld, kAwaited, kReleased };
  std::atomic<uint32_t> released{kReleased};
  bool is_queued() const { return bucket.load(std::memory_order_acquire) != nullptr; }
};

struct FutexBucket {
  Mutex lock{LockRank::kFutex};
  IntrusiveList<FutexWaiter, FutexWaiter> waiters GUARDED_BY(lock);
};

class FutexTable {
 public:
  FutexBucket& BucketOf(const FutexKey& key) {
    uint64_t hash = uint64_t(reinterpret_cast<uintptr_t>(key.object)) >> 4;
    hash = (hash ^ (key.offset >> 2)) * 0x9e3779b97f4a7c15;
    return buckets_[hash >> (64 - kBits)];
  }
  // Wakes up to |count| waiters on |key| whose bitset meets |bitset|; returns how many. EINVAL if
  // one of them waits for a lock, or to be moved to one.
  Result<uint32_t> Wake(const FutexKey& key, uint32_t count, uint32_t bitset);
  // Wakes all that wait for a lock (FUTEX_LOCK_PI) which the dead thread |owner| held.
  void WakeForDeadOwner(int32_t owner);
  // Takes |waiter| out wherever it is; false if it had been woken. It may go out of scope then.
  bool Cancel(FutexWaiter& waiter);
  static void Queue(FutexBucket& bucket, FutexWaiter& waiter) REQUIRES(bucket.lock);
  // From one bucket's queue to another's, or back into the same.
  static void Move(FutexBucket& from, FutexBucket& to, const FutexKey& key, FutexWaiter& waiter)
      REQUIRES(from.lock, to.lock);
  static void WakeWaiter(FutexBucket& bucket, FutexWaiter& waiter) REQUIRES(bucket.lock);

 private:
  static void Insert(FutexBucket& bucket, FutexWaiter& waiter) REQUIRES(bucket.lock);
  static constexpr int kBits = 8;
  std::array<FutexBucket, 1 << kBits> buckets_;
};

}  // namespace zrun::compat
