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

// The first waiter has the lock now: wakes it, and tells it that the others wait for it.
void PassOn(FutexBucket& bucket, const FutexKey& key) REQUIRES(bucket.lock) {
  FutexWaiter* next = FirstWaiter(bucket, key);
  if (!next) return;
  for (FutexWaiter& waiter : bucket.waiters) {
    if (!(waiter.key == key) || !waiter.task || &waiter == next) continue;
    waiter.owner = next->task->tid();
    next->task->pi_waited_for = true;
  }
  FutexTable::WakeWaiter(bucket, *next);
}

// Tells the owner that somebody waits for what it holds. False when there is no such thread, or it
// has come too far in its exit to look again.
bool TellOwner(int32_t tid) {
  MutexLock lock(Kernel::Get().lock());
  Task* owner = Kernel::Get().pids().FindTask(tid);
  if (!owner || owner->pi_left) return false;
  owner->pi_waited_for = true;
  return true;
}

// Takes the lock if it is free, or left behind by |dead|; otherwise marks that somebody waits.
// Returns the owner, 0 if it was taken.
Result<int32_t> TakeOrMark(Task& task, UserPtr<uint32_t> word, bool try_only, int32_t dead) {
  UserMemory memory = task.memory();
  uint32_t value = TRY(memory.LoadWord(word));
  for (;;) {
    const uint32_t owner = value & kFutexTidMask;
    if (owner == uint32_t(task.tid())) return Errno::kEDEADLK;
    const bool left = dead != 0 && owner == uint32_t(dead);
    const bool free = owner == 0 || left;
    if (!free && try_only) return Errno::kEAGAIN;
    uint32_t wanted = value | kFutexWaiters;
    if (free) wanted = uint32_t(task.tid()) | (value & kFutexOwnerDied);
    // Others may have waited with us for the dead one: they meet us in the kernel.
    if (left) wanted |= kFutexOwnerDied | kFutexWaiters;
    if (wanted == value) return int32_t(owner);
    if (TRY(memory.CompareExchangeWord(word, value, wanted))) return free ? 0 : int32_t(owner);
  }
}

}  // namespace

SyscallResult LockPiFutex(Task& task, uint64_t address, bool shared, hal::Deadline deadline,
                          bool try_only) {
  const FutexKey key = TRY(MakeFutexKey(task, address, shared));
  const UserPtr<uint32_t> word(address);
  FutexTable& table = task.kernel().futexes();
  FutexBucket& bucket = table.BucketOf(key);
  for (int32_t dead = 0;;) {
    FutexWaiter waiter;
    waiter.key = key;
    waiter.task = &task;
    {
      MutexLock lock(bucket.lock);
      waiter.owner = TRY(TakeOrMark(task, word, try_only, dead));
      if (waiter.owner == 0) return 0;
      FutexTable::Queue(bucket, waiter);
    }
    // An owner that does not exist will never unlock it, and one that has gone past
    // ReleasePiWaiters() has not seen us.
    if (!TellOwner(waiter.owner) && table.Cancel(waiter)) {
      const uint32_t now = TRY(task.memory().LoadWord(word)) & kFutexTidMask;
      if (now == uint32_t(waiter.owner)) return Errno::kESRCH;
      continue;
    }
    // Whoever unlocks writes our number before waking us.
    while (waiter.is_queued()) {
      const Task::Pause pause = task.ParkFor(deadline);
      if (pause == Task::Pause::kAwake) continue;
      if (!table.Cancel(waiter)) break;
      return pause == Task::Pause::kTimedOut ? Errno::kETIMEDOUT : Errno::kRestartNoIntr;
    }
    table.Cancel(waiter);
    if (!waiter.owner_died) return 0;
    dead = waiter.owner;
  }
}

void ReleasePiWaiters(Task& task, bool exits) {
  {
    MutexLock lock(Kernel::Get().lock());
    task.pi_left = exits;
    if (!task.pi_waited_for.exchange(false)) return;
  }
  task.kernel().futexes().WakeForDeadOwner(task.tid());
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
  PassOn(bucket, key);
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
  PassOn(bucket, key.value());
}

}  // namespace zrun::compat
