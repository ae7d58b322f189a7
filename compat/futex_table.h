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

// A sleeper on one word. Guarded by the lock of the bucket it is in.
struct FutexWaiter : ListNode<FutexWaiter> {
  FutexKey key;
  uint32_t bitset = ~0u;
  hal::Thread* thread = nullptr;
  // FUTEX_LOCK_PI: who gets the lock, and the thread that holds it. |owner_died| is set before the
  // waker lets go: the waiter has to look at the word again.
  Task* task = nullptr;
  int32_t owner = 0;
  bool owner_died = false;
  int index = -1;  // futex_waitv
  // Where it is queued; null once it was woken. Changes with the bucket's lock held (requeueing:
  // both buckets').
  std::atomic<FutexBucket*> bucket{nullptr};
  // The waker is done with it: only now may it go out of scope.
  std::atomic<bool> released{true};
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
  // Wakes up to |count| waiters on |key| whose bitset meets |bitset|; returns how many.
  uint32_t Wake(const FutexKey& key, uint32_t count, uint32_t bitset);
  // Wakes all that wait for a lock (FUTEX_LOCK_PI) which the dead thread |owner| held.
  void WakeForDeadOwner(int32_t owner);
  // Takes |waiter| out wherever it is; false if it had been woken. It may go out of scope then.
  bool Cancel(FutexWaiter& waiter);
  static void Queue(FutexBucket& bucket, FutexWaiter& waiter) REQUIRES(bucket.lock);
  static void WakeWaiter(FutexBucket& bucket, FutexWaiter& waiter) REQUIRES(bucket.lock);

 private:
  static constexpr int kBits = 8;
  std::array<FutexBucket, 1 << kBits> buckets_;
};

}  // namespace zrun::compat
