#pragma once
#include <atomic>
#include <cstdint>

#include "base/thread_annotations.h"
#include "objects/sync/lock_rank.h"

namespace zrun {

// The only lock above the HAL: it sleeps (hal::WaitOnWord). Unfair, not recursive. Debug builds
// panic when it is taken out of rank.
class CAPABILITY("mutex") Mutex {
 public:
  explicit constexpr Mutex(LockRank rank) : rank_(rank) {}
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;
  void Lock() ACQUIRE() {
    uint32_t expected = kFree;
    if (!state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire)) LockSlow();
    NoteLocked();
  }
  bool TryLock() TRY_ACQUIRE(true) {
    uint32_t expected = kFree;
    if (!state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire)) return false;
    NoteLocked();
    return true;
  }
  void Unlock() RELEASE() {
    NoteUnlocked();
    if (state_.exchange(kFree, std::memory_order_release) == kContended) WakeWaiter();
  }
  // As Lock(), while others of the same rank may be held. Whoever uses it has an order of his own
  // among them.
  void LockNested() ACQUIRE() {
    uint32_t expected = kFree;
    if (!state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire)) LockSlow();
    NoteLocked(true);
  }
  LockRank rank() const { return rank_; }

 private:
  static constexpr uint32_t kFree = 0, kHeld = 1, kContended = 2;
  void LockSlow();
  void WakeWaiter();
#ifdef NDEBUG
  void NoteLocked(bool = false) {}
  void NoteUnlocked() {}
#else
  void NoteLocked(bool second_of_two = false);
  void NoteUnlocked();
#endif
  std::atomic<uint32_t> state_{kFree};
  const LockRank rank_;
};

class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~MutexLock() RELEASE() { mutex_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Two locks of one rank, in the order of their addresses; they may be the same.
class SCOPED_CAPABILITY LockBoth {
 public:
  LockBoth(Mutex& a, Mutex& b) ACQUIRE(a, b);
  ~LockBoth() RELEASE();
  LockBoth(const LockBoth&) = delete;
  LockBoth& operator=(const LockBoth&) = delete;

 private:
  Mutex& first_;
  Mutex* second_;
};

}  // namespace zrun
