#pragma once
#include <atomic>
#include <cstdint>

#include "base/thread_annotations.h"
#include "hal/thread.h"

namespace zrun::hal {

// The machine's own lock, a leaf under every lock of the kernel's: a futex in the shared memory.
class CAPABILITY("mutex") HostMutex {
 public:
  constexpr HostMutex() = default;
  void Lock() ACQUIRE() {
    uint32_t state = 0;
    if (state_.compare_exchange_strong(state, 1, std::memory_order_acquire)) return;
    while (state_.exchange(2, std::memory_order_acquire) != 0)
      WaitOnWord(state_, 2, Deadline::Never());
  }
  void Unlock() RELEASE() {
    if (state_.exchange(0, std::memory_order_release) == 2) WakeWord(state_, 1);
  }

 private:
  std::atomic<uint32_t> state_{0};
};

class SCOPED_CAPABILITY HostLock {
 public:
  explicit HostLock(HostMutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~HostLock() RELEASE() { mutex_.Unlock(); }
  HostLock(const HostLock&) = delete;
  HostLock& operator=(const HostLock&) = delete;

 private:
  HostMutex& mutex_;
};

}  // namespace zrun::hal
