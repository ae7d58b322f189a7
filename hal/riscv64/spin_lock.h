#pragma once
#include <atomic>
#include <cstdint>

#include "base/thread_annotations.h"

// The machine's own lock: held for a few hundred instructions, with interrupts off on this hart, so
// that interrupt handlers may take it. Everything above the HAL uses Mutex, which sleeps.
namespace zrun::hal {

inline constexpr uint64_t kStatusSie = 1 << 1;

// Turns interrupts off; whether they were on.
inline bool DisableInterrupts() {
  uint64_t before;
  asm volatile("csrrci %0, sstatus, 2" : "=r"(before) : : "memory");
  return (before & kStatusSie) != 0;
}
inline void EnableInterrupts() { asm volatile("csrsi sstatus, 2" : : : "memory"); }

class InterruptsOff {
 public:
  InterruptsOff() : were_on_(DisableInterrupts()) {}
  ~InterruptsOff() {
    if (were_on_) EnableInterrupts();
  }
  InterruptsOff(const InterruptsOff&) = delete;
  InterruptsOff& operator=(const InterruptsOff&) = delete;

 private:
  const bool were_on_;
};

class CAPABILITY("spin lock") SpinLock {
 public:
  constexpr SpinLock() = default;
  SpinLock(const SpinLock&) = delete;
  SpinLock& operator=(const SpinLock&) = delete;
  // Interrupts are off.
  void Lock() ACQUIRE() {
    while (held_.exchange(1, std::memory_order_acquire) != 0) {
      while (held_.load(std::memory_order_relaxed) != 0) {
      }
    }
  }
  bool TryLock() TRY_ACQUIRE(true) { return held_.exchange(1, std::memory_order_acquire) == 0; }
  void Unlock() RELEASE() { held_.store(0, std::memory_order_release); }

 private:
  std::atomic<uint32_t> held_{0};
};

class SCOPED_CAPABILITY SpinLocked {
 public:
  explicit SpinLocked(SpinLock& lock) ACQUIRE(lock) : lock_(lock) { lock_.Lock(); }
  ~SpinLocked() RELEASE() { lock_.Unlock(); }
  SpinLocked(const SpinLocked&) = delete;
  SpinLocked& operator=(const SpinLocked&) = delete;

 private:
  InterruptsOff interrupts_;
  SpinLock& lock_;
};

}  // namespace zrun::hal
