#include "compat/futex.h"

#include "compat/abi/arch.h"
#include "compat/exit.h"

namespace zrun::compat {

Result<FutexKey> MakeFutexKey(Task& task, uint64_t address, bool shared) {
  if (address % sizeof(uint32_t)) return Errno::kEINVAL;
  if (address >= abi::kUserTop) return Errno::kEFAULT;
  if (shared) {
    // The page itself is what they share: it must be there, and readable.
    TRY(task.memory().LoadWord(UserPtr<const uint32_t>(address)));
    auto mapping = task.region().Find(address);
    if (!mapping) return Errno::kEFAULT;
    if (mapping->object && !HasAny(mapping->flags, MapFlags::kPrivate))
      return FutexKey{mapping->object.get(),
                      mapping->object_offset + (address - mapping->range.base)};
  }
  // A wake-up without FUTEX_PRIVATE_FLAG does not reach those who waited with it, nor the other way
  // round.
  return FutexKey{&task.region(), address | (shared ? 1 : 0)};
}

namespace {

SyscallResult ResumeWait(Task& task, const RestartState& state) {
  FutexWait wait;
  wait.address = state.arguments[0];
  wait.expected = uint32_t(state.arguments[1]);
  wait.bitset = uint32_t(state.arguments[2]);
  wait.shared = state.arguments[3];
  wait.deadline = {int64_t(state.arguments[4])};
  return WaitOnFutex(task, wait);
}

}  // namespace

SyscallResult WaitOnFutex(Task& task, const FutexWait& wait) {
  if (wait.bitset == 0) return Errno::kEINVAL;
  const FutexKey key = TRY(MakeFutexKey(task, wait.address, wait.shared));
  FutexTable& table = task.kernel().futexes();
  FutexWaiter waiter;
  waiter.key = key;
  waiter.bitset = wait.bitset;
  waiter.priority = task.rt_priority.load();
  {
    FutexBucket& bucket = table.BucketOf(key);
    MutexLock lock(bucket.lock);
    const uint32_t value = TRY(task.memory().LoadWord(UserPtr<const uint32_t>(wait.address)));
    if (value != wait.expected) return Errno::kEAGAIN;
    FutexTable::Queue(bucket, waiter);
  }
  while (waiter.is_queued()) {
    switch (task.ParkFor(wait.deadline)) {
      case Task::Pause::kAwake:
        break;
      case Task::Pause::kTimedOut:
        if (table.Cancel(waiter)) return Errno::kETIMEDOUT;
        return 0;
      case Task::Pause::kInterrupted:
        if (!table.Cancel(waiter)) return 0;
        if (wait.deadline.is_never()) return Errno::kRestartSys;
        return task.RestartWith(&ResumeWait, {wait.address, wait.expected, wait.bitset, wait.shared,
                                              uint64_t(wait.deadline.at)});
    }
  }
  table.Cancel(waiter);
  return 0;
}

SyscallResult WakeFutex(Task& task, uint64_t address, bool shared, uint32_t count,
                        uint32_t bitset) {
  if (bitset == 0) return Errno::kEINVAL;
  const FutexKey key = TRY(MakeFutexKey(task, address, shared));
  return uint64_t{TRY(task.kernel().futexes().Wake(key, count, bitset))};
}

// The two buckets may be one, which the analysis cannot follow.
SyscallResult RequeueFutex(Task& task, const FutexRequeue& requeue) NO_THREAD_SAFETY_ANALYSIS {
  if (requeue.wake < 0 || requeue.move < 0) return Errno::kEINVAL;
  const FutexKey from = TRY(MakeFutexKey(task, requeue.from, requeue.shared));
  const FutexKey to = TRY(MakeFutexKey(task, requeue.to, requeue.shared));
  FutexTable& table = task.kernel().futexes();
  FutexBucket& source = table.BucketOf(from);
  FutexBucket& target = table.BucketOf(to);
  TwoBuckets locks(source, target);
  if (requeue.expected) {
    const uint32_t value = TRY(task.memory().LoadWord(UserPtr<const uint32_t>(requeue.from)));
    if (value != *requeue.expected) return Errno::kEAGAIN;
  }
  int32_t woken = 0, moved = 0;
  // Those that are moved within their own bucket must not be met again.
  const FutexWaiter* last = source.waiters.back();
  for (FutexWaiter* waiter = source.waiters.front(); waiter;) {
    FutexWaiter* next = waiter == last ? nullptr : source.waiters.NextOf(*waiter);
    if (waiter->key == from) {
      if (waiter->task || waiter->moving_task) return Errno::kEINVAL;
      if (woken < requeue.wake) {
        FutexTable::WakeWaiter(source, *waiter);
        woken++;
      } else if (moved < requeue.move) {
        FutexTable::Move(source, target, to, *waiter);
        moved++;
      } else {
        break;
      }
    }
    waiter = next;
  }
  return uint64_t(woken + moved);
}

SyscallResult WakeOpFutex(Task& task, uint64_t address, uint64_t second, bool shared, int32_t count,
                          int32_t second_count, uint32_t operation) NO_THREAD_SAFETY_ANALYSIS {
  const FutexKey one = TRY(MakeFutexKey(task, address, shared));
  const FutexKey two = TRY(MakeFutexKey(task, second, shared));
  const uint32_t op = operation >> 28 & 7, compare = operation >> 24 & 15;
  // Twelve bits each, signed.
  int32_t argument = int32_t(operation << 8) >> 20;
  const int32_t against = int32_t(operation << 20) >> 20;
  constexpr uint32_t kShiftArgument = 8;
  if (operation >> 28 & kShiftArgument) argument = int32_t(uint32_t{1} << (argument & 31));
  if (op > 4 || compare > 5) return Errno::kENOSYS;

  FutexTable& table = task.kernel().futexes();
  uint32_t old;
  bool meets = false;
  {
    TwoBuckets locks(table.BucketOf(one), table.BucketOf(two));
    UserMemory memory = task.memory();
    const UserPtr<uint32_t> word(second);
    old = TRY(memory.LoadWord(word));
    for (;;) {
      uint32_t value = uint32_t(argument);
      if (op == 1) value = old + uint32_t(argument);
      if (op == 2) value = old | uint32_t(argument);
      if (op == 3) value = old & ~uint32_t(argument);
      if (op == 4) value = old ^ uint32_t(argument);
      if (TRY(memory.CompareExchangeWord(word, old, value))) break;
    }
  }
  const int32_t before = int32_t(old);
  switch (compare) {
    case 0:
      meets = before == against;
      break;
    case 1:
      meets = before != against;
      break;
    case 2:
      meets = before < against;
      break;
    case 3:
      meets = before <= against;
      break;
    case 4:
      meets = before > against;
      break;
    case 5:
      meets = before >= against;
      break;
  }
  uint32_t woken = TRY(table.Wake(one, uint32_t(std::max(count, 1)), ~0u));
  if (meets) woken += TRY(table.Wake(two, uint32_t(std::max(second_count, 1)), ~0u));
  return uint64_t{woken};
}

// ---- A thread ends, or leaves its program (get_robust_list(2), set_tid_address(2)).
namespace {

constexpr int kMaxRobust = 2048;

void MarkOwnerDied(Task& task, uint64_t address, bool priority, bool pending) {
  if (address % sizeof(uint32_t)) return;
  UserMemory memory = task.memory();
  const UserPtr<uint32_t> word(address);
  auto loaded = memory.LoadWord(word);
  if (!loaded.ok()) return;
  uint32_t value = loaded.value();
  for (;;) {
    const uint32_t owner = value & kFutexTidMask;
    if (owner != uint32_t(task.tid())) {
      // It died between unlocking and waking: the waiter must not sleep for ever.
      if (pending && !priority && owner == 0)
        static_cast<void>(WakeFutex(task, address, true, 1, ~0u));
      return;
    }
    if (priority) {
      HandOverPiFutex(task, address);
      return;
    }
    auto swapped =
        memory.CompareExchangeWord(word, value, (value & kFutexWaiters) | kFutexOwnerDied);
    if (!swapped.ok()) return;
    if (swapped.value()) break;
  }
  if (value & kFutexWaiters) static_cast<void>(WakeFutex(task, address, true, 1, ~0u));
}

void ReleaseRobustList(Task& task) {
  struct Head {
    uint64_t next;
    int64_t offset;
    uint64_t pending;
  };
  UserMemory memory = task.memory();
  const uint64_t head_at = std::exchange(task.robust_list, 0);
  if (!head_at) return;
  auto head = memory.Read(UserPtr<const Head>(head_at));
  if (!head.ok()) return;
  const Head list = head.value();
  uint64_t entry = list.next;
  for (int i = 0; i < kMaxRobust && (entry & ~uint64_t{1}) != head_at; i++) {
    const uint64_t at = entry & ~uint64_t{1};
    auto next = memory.Read(UserPtr<const uint64_t>(at));
    if (at != (list.pending & ~uint64_t{1}))
      MarkOwnerDied(task, at + uint64_t(list.offset), entry & 1, false);
    if (!next.ok()) break;
    entry = next.value();
  }
  if (list.pending)
    MarkOwnerDied(task, (list.pending & ~uint64_t{1}) + uint64_t(list.offset), list.pending & 1,
                  true);
}

}  // namespace

void ReleaseUserLocks(Task& task) {
  ReleaseRobustList(task);
  const uint64_t address = std::exchange(task.clear_child_tid, 0);
  if (address && task.memory_context().users.load() > 1) {
    if (task.memory().Write(UserPtr<uint32_t>(address), 0).ok())
      static_cast<void>(WakeFutex(task, address, true, 1, ~0u));
  }
}

}  // namespace zrun::compat
