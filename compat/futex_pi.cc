#include "compat/futex.h"

namespace zrun::compat {

namespace {

// The one who gets the lock next; null if nobody waits for it.
FutexWaiter* FirstWaiter(FutexBucket& bucket, const FutexKey& key) REQUIRES(bucket.lock) {
  FutexWaiter* best = nullptr;
  for (FutexWaiter& waiter : bucket.waiters) {
    if (!(waiter.key == key) || !waiter.task) continue;
    if (!best || waiter.task->rt_priority.load() > best->task->rt_priority.load()) best = &waiter;
  }
  return best;
}

// The word of a lock that passes to |next|, or to nobody.
uint32_t WordFor(FutexBucket& bucket, const FutexKey& key, FutexWaiter* next)
    REQUIRES(bucket.lock) {
  if (!next) return 0;
  int waiting = 0;
  for (FutexWaiter& waiter : bucket.waiters) waiting += waiter.key == key && waiter.task;
  return uint32_t(next->task->tid()) | (waiting > 1 ? kFutexWaiters : 0);
}

bool Exists(int32_t tid) {
  MutexLock lock(Kernel::Get().lock());
  return Kernel::Get().pids().FindTask(tid) != nullptr;
}

// Takes the lock if it is free; otherwise marks that somebody waits. True if it was taken.
Result<bool> TakeOrMark(Task& task, UserPtr<uint32_t> word, bool try_only) {
  UserMemory memory = task.memory();
  uint32_t value = TRY(memory.LoadWord(word));
  for (;;) {
    const uint32_t owner = value & kFutexTidMask;
    if (owner == uint32_t(task.tid())) return Errno::kEDEADLK;
    const bool free = owner == 0;
    if (!free && try_only) return Errno::kEAGAIN;
    const uint32_t wanted =
        free ? uint32_t(task.tid()) | (value & kFutexOwnerDied) : value | kFutexWaiters;
    if (wanted == value) return false;
    if (TRY(memory.CompareExchangeWord(word, value, wanted))) return free;
  }
}

}  // namespace

SyscallResult LockPiFutex(Task& task, uint64_t address, bool shared, hal::Deadline deadline,
                          bool try_only) {
  const FutexKey key = TRY(MakeFutexKey(task, address, shared));
  const UserPtr<uint32_t> word(address);
  // An owner that does not exist will never unlock it. It may be unlocked meanwhile: then its
  // number says so below.
  const uint32_t owner = TRY(task.memory().LoadWord(word)) & kFutexTidMask;
  if (owner && owner != uint32_t(task.tid()) && !Exists(int32_t(owner))) return Errno::kESRCH;
  FutexTable& table = task.kernel().futexes();
  FutexBucket& bucket = table.BucketOf(key);
  FutexWaiter waiter;
  waiter.key = key;
  waiter.task = &task;
  {
    MutexLock lock(bucket.lock);
    if (TRY(TakeOrMark(task, word, try_only))) return 0;
    FutexTable::Queue(bucket, waiter);
  }
  // Whoever unlocks writes our number before waking us.
  while (waiter.is_queued()) {
    const Task::Pause pause = task.ParkFor(deadline);
    if (pause == Task::Pause::kAwake) continue;
    if (!table.Cancel(waiter)) return 0;
    return pause == Task::Pause::kTimedOut ? Errno::kETIMEDOUT : Errno::kRestartNoIntr;
  }
  table.Cancel(waiter);
  return 0;
}

SyscallResult UnlockPiFutex(Task& task, uint64_t address, bool shared) {
  const FutexKey key = TRY(MakeFutexKey(task, address, shared));
  const UserPtr<uint32_t> word(address);
  FutexBucket& bucket = task.kernel().futexes().BucketOf(key);
  UserMemory memory = task.memory();
  MutexLock lock(bucket.lock);
  uint32_t value = TRY(memory.LoadWord(word));
  do {
    if ((value & kFutexTidMask) != uint32_t(task.tid())) return Errno::kEPERM;
  } while (!TRY(
      memory.CompareExchangeWord(word, value, WordFor(bucket, key, FirstWaiter(bucket, key)))));
  if (FutexWaiter* next = FirstWaiter(bucket, key)) FutexTable::WakeWaiter(bucket, *next);
  return 0;
}

void HandOverPiFutex(Task& dead, uint64_t address) {
  auto key = MakeFutexKey(dead, address, true);
  if (!key.ok()) return;
  const UserPtr<uint32_t> word(address);
  FutexBucket& bucket = dead.kernel().futexes().BucketOf(key.value());
  UserMemory memory = dead.memory();
  MutexLock lock(bucket.lock);
  FutexWaiter* next = FirstWaiter(bucket, key.value());
  auto loaded = memory.LoadWord(word);
  if (!loaded.ok()) return;
  uint32_t value = loaded.value();
  for (;;) {
    auto swapped = memory.CompareExchangeWord(word, value,
                                              WordFor(bucket, key.value(), next) | kFutexOwnerDied);
    if (!swapped.ok()) return;
    if (swapped.value()) break;
  }
  if (next) FutexTable::WakeWaiter(bucket, *next);
}

}  // namespace zrun::compat
