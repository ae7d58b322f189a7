#include "objects/sync/mutex.h"

#include "hal/thread.h"

namespace zrun {

void Mutex::LockSlow() {
  // Most sections are a few hundred cycles long: look again a little before sleeping.
  for (int spin = 0; spin < 64; spin++) {
    uint32_t expected = kFree;
    if (state_.load(std::memory_order_relaxed) == kFree &&
        state_.compare_exchange_weak(expected, kHeld, std::memory_order_acquire)) {
      return;
    }
  }
  while (state_.exchange(kContended, std::memory_order_acquire) != kFree)
    hal::WaitOnWord(state_, kContended, hal::Deadline::Never());
}

void Mutex::WakeWaiter() { hal::WakeWord(state_, 1); }

// The analysis does not follow references that name one of two locks.
LockBoth::LockBoth(Mutex& a, Mutex& b) NO_THREAD_SAFETY_ANALYSIS : first_(&a < &b ? a : b),
                                                                   second_(&a == &b  ? nullptr
                                                                           : &a < &b ? &b
                                                                                     : &a) {
  first_.Lock();
  if (second_) second_->LockNested();
}

LockBoth::~LockBoth() NO_THREAD_SAFETY_ANALYSIS {
  if (second_) second_->Unlock();
  first_.Unlock();
}

}  // namespace zrun
