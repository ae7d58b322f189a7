#pragma once
#include "hal/thread.h"

// Parking and kicks as words in memory, for machines whose threads sleep by WaitOnWord().
namespace zrun::hal {

// One thread's; all zeros at first. Park() and ClearKick() are its own, the others anybody's.
class Parking {
 public:
  // Whether Park() would return at once.
  bool has_news() const { return word_.load(std::memory_order_relaxed) & (kUnparked | kKicked); }
  bool is_asleep() const {
    return (word_.load(std::memory_order_acquire) & (kSleeping | kUnparked | kKicked)) == kSleeping;
  }
  bool is_kicked() const { return word_.load(std::memory_order_relaxed) & kKicked; }

  ParkOutcome Park(Deadline deadline, Interruptible interruptible) {
    for (;;) {
      uint32_t word = word_.load(std::memory_order_acquire);
      if (word & kUnparked) {
        word_.fetch_and(~kUnparked, std::memory_order_acquire);
        return ParkOutcome::kUnparked;
      }
      if ((word & kKicked) && interruptible == Interruptible::kYes) return ParkOutcome::kKicked;
      // Only if this bit says that somebody sleeps is there anybody to wake.
      if (!word_.compare_exchange_strong(word, word | kSleeping, std::memory_order_seq_cst))
        continue;
      const WaitOutcome outcome = WaitOnWord(word_, word | kSleeping, deadline);
      word = word_.fetch_and(~kSleeping, std::memory_order_acq_rel);
      if (outcome == WaitOutcome::kTimedOut && !(word & kUnparked)) return ParkOutcome::kTimedOut;
    }
  }
  void Unpark() { Set(kUnparked); }
  void Kick() { Set(kKicked); }
  void ClearKick() { word_.fetch_and(~kKicked, std::memory_order_seq_cst); }

 private:
  static constexpr uint32_t kUnparked = 1, kKicked = 2, kSleeping = 4;

  void Set(uint32_t bit) {
    if (word_.fetch_or(bit, std::memory_order_seq_cst) & kSleeping) WakeWord(word_, 1);
  }

  std::atomic<uint32_t> word_{0};
};

}  // namespace zrun::hal
