#include "compat/futex_table.h"

namespace zrun::compat {

uint32_t FutexTable::Wake(const FutexKey& key, uint32_t count, uint32_t bitset) {
  FutexBucket& bucket = BucketOf(key);
  MutexLock lock(bucket.lock);
  uint32_t woken = 0;
  for (FutexWaiter* waiter = bucket.waiters.front(); waiter && woken < count;) {
    FutexWaiter* next = bucket.waiters.NextOf(*waiter);
    if (waiter->key == key && !waiter->task && (waiter->bitset & bitset)) {
      WakeWaiter(bucket, *waiter);
      woken++;
    }
    waiter = next;
  }
  return woken;
}

void FutexTable::WakeForDeadOwner(int32_t owner) {
  for (FutexBucket& bucket : buckets_) {
    MutexLock lock(bucket.lock);
    for (FutexWaiter* waiter = bucket.waiters.front(); waiter;) {
      FutexWaiter* next = bucket.waiters.NextOf(*waiter);
      if (waiter->task && waiter->owner == owner) {
        waiter->owner_died = true;
        WakeWaiter(bucket, *waiter);
      }
      waiter = next;
    }
  }
}

void FutexTable::WakeWaiter(FutexBucket& bucket, FutexWaiter& waiter) {
  bucket.waiters.Remove(waiter);
  waiter.bucket.store(nullptr, std::memory_order_release);
  hal::Unpark(*waiter.thread);
  waiter.released.store(true, std::memory_order_release);
}

void FutexTable::Queue(FutexBucket& bucket, FutexWaiter& waiter) {
  waiter.thread = &hal::CurrentThread();
  waiter.released.store(false, std::memory_order_relaxed);
  waiter.bucket.store(&bucket, std::memory_order_relaxed);
  bucket.waiters.PushBack(waiter);
}

bool FutexTable::Cancel(FutexWaiter& waiter) {
  for (;;) {
    FutexBucket* bucket = waiter.bucket.load(std::memory_order_acquire);
    if (!bucket) {
      while (!waiter.released.load(std::memory_order_acquire)) hal::Yield();
      return false;
    }
    MutexLock lock(bucket->lock);
    if (waiter.bucket.load(std::memory_order_relaxed) != bucket) continue;  // it was requeued
    bucket->waiters.Remove(waiter);
    waiter.bucket.store(nullptr, std::memory_order_relaxed);
    waiter.released.store(true, std::memory_order_relaxed);
    return true;
  }
}

}  // namespace zrun::compat
