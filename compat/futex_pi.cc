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
Result<int32_t> TakeOrMark(UserMemory memory, int32_t tid, UserPtr<uint32_t> word, bool try_only,
                           int32_t dead, bool others_wait = false) {
  uint32_t value = TRY(memory.LoadWord(word));
  for (;;) {
    const uint32_t owner = value & kFutexTidMask;
    if (owner == uint32_t(tid)) return Errno::kEDEADLK;
    const bool left = dead != 0 && owner == uint32_t(dead);
    const bool free = owner == 0 || left;
    if (!free && try_only) return Errno::kEAGAIN;
    uint32_t wanted = value | kFutexWaiters;
    if (free) {
      wanted = uint32_t(tid) | (value & kFutexOwnerDied) | (others_wait ? kFutexWaiters : 0);
    }
    // Others may have waited with us for the dead one: they meet us in the kernel.
    if (left) wanted |= kFutexOwnerDied | kFutexWaiters;
    if (wanted == value) return int32_t(owner);
    if (TRY(memory.CompareExchangeWord(word, value, wanted))) return free ? 0 : int32_t(owner);
  }
}

// |dead|: who held it when the caller was told that its holder has died; 0 if nobody.
SyscallResult LockPi(Task& task, uint64_t address, bool shared, hal::Deadline deadline,
                     bool try_only, int32_t dead) {
  const FutexKey key = TRY(MakeFutexKey(task, address, shared));
  const UserPtr<uint32_t> word(address);
  FutexTable& table = task.kernel().futexes();
  FutexBucket& bucket = table.BucketOf(key);
  for (;;) {
    FutexWaiter waiter;
    waiter.key = key;
    waiter.task = &task;
    waiter.priority = task.rt_priority.load();
    {
      MutexLock lock(bucket.lock);
      waiter.owner = TRY(TakeOrMark(task.memory(), task.tid(), word, try_only, dead));
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

}  // namespace

SyscallResult LockPiFutex(Task& task, uint64_t address, bool shared, hal::Deadline deadline,
                          bool try_only) {
  return LockPi(task, address, shared, deadline, try_only, 0);
}

SyscallResult WaitToLockFutex(Task& task, const FutexWait& wait, uint64_t second) {
  FutexTable& table = task.kernel().futexes();
  FutexWaiter waiter;
  waiter.key = TRY(MakeFutexKey(task, wait.address, wait.shared));
  waiter.moves_to = TRY(MakeFutexKey(task, second, wait.shared));
  if (waiter.key == waiter.moves_to) return Errno::kEINVAL;
  waiter.moving_task = &task;
  waiter.priority = task.rt_priority.load();
  {
    FutexBucket& bucket = table.BucketOf(waiter.key);
    MutexLock lock(bucket.lock);
    const uint32_t value = TRY(task.memory().LoadWord(UserPtr<const uint32_t>(wait.address)));
    if (value != wait.expected) return Errno::kEAGAIN;
    FutexTable::Queue(bucket, waiter);
  }
  while (waiter.is_queued()) {
    const Task::Pause pause = task.ParkFor(wait.deadline);
    if (pause == Task::Pause::kAwake) continue;
    if (!table.Cancel(waiter)) break;
    if (pause == Task::Pause::kTimedOut) return Errno::kETIMEDOUT;
    // Once moved it cannot be restarted: the word it waited on has changed.
    return waiter.task ? Errno::kEAGAIN : Errno::kRestartNoIntr;
  }
  table.Cancel(waiter);
  if (!waiter.owner_died) return 0;
  return LockPi(task, second, wait.shared, wait.deadline, false, waiter.owner);
}

namespace {

// What RequeueToLock() has done.
struct MovedToLock {
  int32_t count = 0;
  int32_t owner = 0;  // of the lock, if somebody waits for it now
};

// The two buckets may be one, which the analysis cannot follow.
Result<MovedToLock> MoveToLock(Task& task, const FutexRequeue& requeue, const FutexKey& from,
                               const FutexKey& to) NO_THREAD_SAFETY_ANALYSIS {
  FutexTable& table = task.kernel().futexes();
  FutexBucket& source = table.BucketOf(from);
  FutexBucket& target = table.BucketOf(to);
  TwoBuckets locks(source, target);
  const uint32_t value = TRY(task.memory().LoadWord(UserPtr<const uint32_t>(requeue.from)));
  if (value != *requeue.expected) return Errno::kEAGAIN;
  MovedToLock moved;
  int32_t owner = 0;
  FutexWaiter* next = nullptr;
  for (FutexWaiter* waiter = source.waiters.front(); waiter; waiter = next) {
    next = source.waiters.NextOf(*waiter);
    if (!(waiter->key == from)) continue;
    if (!waiter->moving_task || !(waiter->moves_to == to)) {
      if (moved.count == 0) return Errno::kEINVAL;
      break;
    }
    Task& sleeper = *waiter->moving_task;
    if (moved.count == 0) {
      owner = TRY(TakeOrMark(task.memory(), sleeper.tid(), UserPtr<uint32_t>(requeue.to), false, 0,
                             requeue.move > 0));
      if (owner == 0) {
        owner = sleeper.tid();
        sleeper.pi_waited_for = true;  // others may come with it: harmless if none does
        FutexTable::WakeWaiter(source, *waiter);
        moved.count = 1;
        continue;
      }
    }
    if (moved.count > requeue.move) break;
    waiter->task = &sleeper;
    waiter->owner = owner;
    FutexTable::Move(source, target, to, *waiter);
    moved.owner = owner;
    moved.count++;
  }
  return moved;
}

}  // namespace

SyscallResult RequeueToLock(Task& task, const FutexRequeue& requeue) {
  if (requeue.wake != 1 || requeue.move < 0) return Errno::kEINVAL;
  const FutexKey from = TRY(MakeFutexKey(task, requeue.from, requeue.shared));
  const FutexKey to = TRY(MakeFutexKey(task, requeue.to, requeue.shared));
  if (from == to) return Errno::kEINVAL;
  const uint32_t word = TRY(task.memory().LoadWord(UserPtr<const uint32_t>(requeue.to)));
  // Nobody can be moved to the lock of a thread that does not exist.
  if ((word & kFutexTidMask) && !TellOwner(int32_t(word & kFutexTidMask))) return Errno::kESRCH;
  const MovedToLock moved = TRY(MoveToLock(task, requeue, from, to));
  // As with LockPi(): an owner that has ended meanwhile has not seen those that wait for it.
  if (moved.owner && !TellOwner(moved.owner)) task.kernel().futexes().WakeForDeadOwner(moved.owner);
  return uint64_t(moved.count);
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
