#include "compat/futex_table.h"

namespace zrun::compat {

Result<uint32_t> FutexTable::Wake(const FutexKey& key, uint32_t count, uint32_t bitset) {
  FutexBucket& bucket = BucketOf(key);
  MutexLock lock(bucket.lock);
  uint32_t woken = 0;
  for (FutexWaiter* waiter = bucket.waiters.front(); waiter && woken < count;) {
    FutexWaiter* next = bucket.waiters.NextOf(*waiter);
    if (waiter->key == key) {
      if (waiter->task || waiter->moving_task) return Errno::kEINVAL;
      if (waiter->bitset & bitset) {
        WakeWaiter(bucket, *waiter);
        woken++;
      }
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
  // From here on it may be gone: only its address is named.
  if (waiter.released.exchange(FutexWaiter::kReleased, std::memory_order_acq_rel) ==
      FutexWaiter::kAwaited)
    hal::WakeWord(waiter.released, 1);
}

void FutexTable::Insert(FutexBucket& bucket, FutexWaiter& waiter) {
  FutexWaiter* behind = nullptr;  // the last that it comes before
  for (FutexWaiter* other = bucket.waiters.back(); other && other->priority < waiter.priority;
       other = bucket.waiters.PreviousOf(*other))
    behind = other;
  if (behind) {
    bucket.waiters.Insert(*behind, waiter);
  } else {
    bucket.waiters.PushBack(waiter);
  }
}

void FutexTable::Move(FutexBucket& from, FutexBucket& to, const FutexKey& key,
                      FutexWaiter& waiter) {
  from.waiters.Remove(waiter);
  waiter.key = key;
  waiter.bucket.store(&to, std::memory_order_release);
  Insert(to, waiter);
}

void FutexTable::Queue(FutexBucket& bucket, FutexWaiter& waiter) {
  waiter.thread = &hal::CurrentThread();
  waiter.released.store(FutexWaiter::kHeld, std::memory_order_relaxed);
  waiter.bucket.store(&bucket, std::memory_order_relaxed);
  Insert(bucket, waiter);
}

namespace {

// Asleep: the waker may be of a lower priority, and never run while we look.
void AwaitRelease(FutexWaiter& waiter) {
  for (;;) {
    uint32_t state = waiter.released.load(std::memory_order_acquire);
    if (state == FutexWaiter::kReleased) return;
    if (state == FutexWaiter::kAwaited ||
        waiter.released.compare_exchange_strong(state, FutexWaiter::kAwaited,
                                                std::memory_order_relaxed))
      hal::WaitOnWord(waiter.released, FutexWaiter::kAwaited, hal::Deadline::Never());
  }
}

}  // namespace

bool FutexTable::Cancel(FutexWaiter& waiter) {
  for (;;) {
    FutexBucket* bucket = waiter.bucket.load(std::memory_order_acquire);
    if (!bucket) {
      AwaitRelease(waiter);
      return false;
    }
    MutexLock lock(bucket->lock);
    if (waiter.bucket.load(std::memory_order_relaxed) != bucket) continue;  // it was requeued
    bucket->waiters.Remove(waiter);
    waiter.bucket.store(nullptr, std::memory_order_relaxed);
    waiter.released.store(FutexWaiter::kReleased, std::memory_order_relaxed);
    return true;
  }
}

}  // namespace zrun::compat
