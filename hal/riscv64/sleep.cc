// Sleeping on words, with deadlines.
//
// Locks, in this order: a hart's timer lock, a bucket's, a run queue's. A sleeper with a deadline
// is in the tree of the hart where it fell asleep, and leaves it itself before it returns; so
// whoever holds that timer lock may touch the threads in the tree.
#include <new>

#include "base/assert.h"
#include "hal/riscv64/machine.h"

namespace zrun::hal {
namespace {

constexpr unsigned kBuckets = 256;
struct Bucket {
  SpinLock lock;
  IntrusiveList<Thread, WaitTag> sleepers;  // GUARDED_BY(lock)
};
alignas(Bucket) constinit std::byte g_buckets[kBuckets][sizeof(Bucket)] = {};

Bucket& BucketOf(const void* word) {
  const uint64_t key = reinterpret_cast<uint64_t>(word) >> 2;
  return *std::launder(reinterpret_cast<Bucket*>(g_buckets[(key * 0x9e3779b97f4a7c15) >> 56]));
}

bool IsSleeping(Thread& thread) { return static_cast<ListNode<WaitTag>&>(thread).is_linked(); }

void SetAlarm(Thread& self, Nanoseconds at) {
  InterruptsOff off;
  Hart& hart = ThisHart();
  self.wake_at = at;
  self.timed_out = false;
  self.timer_hart = &hart;
  hart.timer_lock.Lock();
  hart.sleepers.Insert(self);
  hart.timer_lock.Unlock();
  ProgramTimer(hart, at);
}

void CancelAlarm(Thread& self) {
  Hart& hart = *self.timer_hart;
  SpinLocked lock(hart.timer_lock);
  if (static_cast<TreeNode<TimerTag>&>(self).is_in_tree()) hart.sleepers.Remove(self);
}

}  // namespace

void InitSleep() {
  for (auto& storage : g_buckets) new (&storage) Bucket;
}

// From the timer's interrupt. When the next one is due.
Nanoseconds WakeSleepers(Hart& hart, Nanoseconds now) {
  SpinLocked lock(hart.timer_lock);
  while (Thread* thread = hart.sleepers.First()) {
    if (thread->wake_at > now) return thread->wake_at;
    hart.sleepers.Remove(*thread);
    bool wake;
    {
      Bucket& bucket = BucketOf(thread->wait_word);
      SpinLocked bucket_lock(bucket.lock);
      thread->timed_out = true;  // also for one that is only about to sleep
      wake = IsSleeping(*thread);
      if (wake) bucket.sleepers.Remove(*thread);
    }
    if (wake) MakeReady(*thread);
  }
  return INT64_MAX;
}

WaitOutcome WaitOnWord(const std::atomic<uint32_t>& word, uint32_t expected, Deadline deadline) {
  Thread& self = CurrentThread();
  const bool limited = !deadline.is_never();
  if (limited && deadline.at <= TimerNow()) {
    return word.load() == expected ? WaitOutcome::kTimedOut : WaitOutcome::kWoken;
  }
  self.wait_word = &word;
  self.timed_out = false;
  if (limited) SetAlarm(self, deadline.at);
  {
    InterruptsOff off;
    Bucket& bucket = BucketOf(&word);
    bucket.lock.Lock();
    const bool sleeps = word.load(std::memory_order_seq_cst) == expected && !self.timed_out;
    if (sleeps) {
      bucket.sleepers.PushBack(self);
      self.state.store(ThreadState::kBlocked, std::memory_order_relaxed);
    }
    bucket.lock.Unlock();
    if (sleeps) Schedule(SwitchReason::kBlocked);
  }
  if (limited) CancelAlarm(self);
  return self.timed_out ? WaitOutcome::kTimedOut : WaitOutcome::kWoken;
}

void WakeWord(const std::atomic<uint32_t>& word, uint32_t max_threads) {
  Bucket& bucket = BucketOf(&word);
  InterruptsOff off;
  while (max_threads > 0) {
    Thread* woken = nullptr;
    bucket.lock.Lock();
    for (Thread& thread : bucket.sleepers) {
      if (thread.wait_word != &word) continue;
      woken = &thread;
      break;
    }
    if (woken) bucket.sleepers.Remove(*woken);
    bucket.lock.Unlock();
    if (!woken) return;
    MakeReady(*woken);
    max_threads--;
  }
}

ParkOutcome Park(Deadline deadline, Interruptible interruptible) {
  return CurrentThread().parking.Park(deadline, interruptible);
}

void Unpark(Thread& thread) { thread.parking.Unpark(); }
bool IsParked(const Thread& thread) { return thread.parking.is_asleep(); }

void Kick(Thread& thread) {
  thread.kick.store(1, std::memory_order_seq_cst);
  thread.parking.Kick();
  // In guest code only an interrupt reaches it. On its way there, with interrupts off, it sees
  // |kick|; the interrupt then comes when it is there.
  InterruptsOff off;
  Hart& hart = *thread.hart.load(std::memory_order_seq_cst);
  if (&hart != &ThisHart() && hart.current.load(std::memory_order_seq_cst) == &thread)
    SendInterrupt(hart);
}

bool KickPending() { return CurrentThread().kick.load(std::memory_order_acquire) != 0; }

void ClearKick() {
  Thread& self = CurrentThread();
  if (self.kick.load(std::memory_order_relaxed) == 0 && !self.parking.is_kicked()) return;
  self.parking.ClearKick();
  self.kick.store(0, std::memory_order_seq_cst);
}

}  // namespace zrun::hal
