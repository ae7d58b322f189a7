// System V semaphores: semget(2), semop(2), semctl(2).
#include "compat/syscall_table.h"
#include "compat/sysv_ipc.h"
#include "compat/time_argument.h"

namespace zrun::compat {
namespace {

enum : int32_t {
  kGetPid = 11,
  kGetValue = 12,
  kGetAll = 13,
  kGetCount = 14,
  kGetZeroCount = 15,
  kSetValue = 16,
  kSetAll = 17,
  kStat = 18,
  kInfo = 19,
  kStatAny = 20,
};
constexpr int16_t kUndo = 0x1000;
constexpr int32_t kMaxPerSet = 32000, kMaxOperations = 500;
constexpr int32_t kMaxTotal = 1024000000, kMaxValue = 32767;

struct Semaphore {
  int32_t value = 0;
  int32_t last = 0;  // pid
};

// What a process has to take back at its end.
struct UndoRecord {
  ThreadGroup* owner = nullptr;  // ends before it dies
  Vector<int16_t> adjustments;
};

// A call that waits. Whoever makes its operations possible performs them.
struct SemWaiter : ListNode<SemWaiter> {
  hal::Thread& thread = hal::CurrentThread();
  ThreadGroup* group = nullptr;
  std::span<const abi::SemBuf> operations;
  size_t blocked_at = 0;
  bool over = false;
  Errno error = {};
};

struct SemSet final : RefCounted<SemSet>, IpcObject {
  Vector<Semaphore> semaphores;
  Vector<UndoRecord> undos;
  IntrusiveList<SemWaiter, SemWaiter> waiters;
  int64_t operation_time = 0;
};

constinit SemSet* g_set_slots[IpcTable<SemSet>::kIndices];
constinit IpcTable<SemSet> g_sets(g_set_slots, vfs::ipc_settings.semmni,
                                  vfs::ipc_settings.sem_next_id);

Result<UndoRecord*> UndoOf(SemSet& set, ThreadGroup& group) {
  for (UndoRecord& undo : set.undos)
    if (undo.owner == &group) return &undo;
  group.undoes_semaphores = true;
  UndoRecord made{&group, {}};
  TRY(made.adjustments.Resize(set.semaphores.size()));
  TRY(set.undos.PushBack(std::move(made)));
  return &set.undos.back();
}

// All or none. EAGAIN with |blocked_at|: which of them cannot be done now.
Result<void> Perform(SemSet& set, ThreadGroup& group, std::span<const abi::SemBuf> operations,
                     size_t& blocked_at) REQUIRES(g_sets.lock) {
  UndoRecord* undo = nullptr;
  for (const abi::SemBuf& operation : operations)
    if ((operation.flags & kUndo) && operation.operation != 0 && !undo)
      undo = TRY(UndoOf(set, group));
  size_t done = 0;
  Errno error = {};
  for (; done < operations.size(); done++) {
    const abi::SemBuf& operation = operations[done];
    int32_t& value = set.semaphores[operation.number].value;
    const int32_t after = value + operation.operation;
    if ((operation.operation == 0 && value != 0) || after < 0) {
      blocked_at = done;
      error = Errno::kEAGAIN;
      break;
    }
    if (after > kMaxValue) error = Errno::kERANGE;
    if (undo && (operation.flags & kUndo) && error == Errno{}) {
      int16_t& adjustment = undo->adjustments[operation.number];
      const int32_t changed = adjustment - operation.operation;
      if (changed < -kMaxValue - 1 || changed > kMaxValue) {
        error = Errno::kERANGE;
      } else {
        adjustment = int16_t(changed);
      }
    }
    if (error != Errno{}) break;
    value = after;
  }
  if (error == Errno{}) {
    for (const abi::SemBuf& operation : operations)
      set.semaphores[operation.number].last = group.pid();
    return {};
  }
  while (done-- > 0) {
    const abi::SemBuf& operation = operations[done];
    set.semaphores[operation.number].value -= operation.operation;
    if (undo && (operation.flags & kUndo))
      undo->adjustments[operation.number] =
          int16_t(undo->adjustments[operation.number] + operation.operation);
  }
  return error;
}

void EndWait(SemSet& set, SemWaiter& waiter, Errno error) {
  set.waiters.Remove(waiter);
  waiter.error = error;
  waiter.over = true;
  hal::Unpark(waiter.thread);
}

// After values have changed: those who waited first come first.
void ServeWaiters(SemSet& set) REQUIRES(g_sets.lock) {
  for (SemWaiter* waiter = set.waiters.front(); waiter;) {
    SemWaiter* next = set.waiters.NextOf(*waiter);
    const auto done = Perform(set, *waiter->group, waiter->operations, waiter->blocked_at);
    if (done.ok()) {
      set.operation_time = IpcNow();
      EndWait(set, *waiter, Errno{});
      next = set.waiters.front();  // it may have made room for one before it
    } else if (done.error() != Errno::kEAGAIN) {
      EndWait(set, *waiter, done.error());
    } else if (waiter->operations[waiter->blocked_at].flags & kIpcNoWait) {
      EndWait(set, *waiter, Errno::kEAGAIN);
    }
    waiter = next;
  }
}

void RemoveSet(SemSet& set) REQUIRES(g_sets.lock) {
  while (SemWaiter* const waiter = set.waiters.front()) EndWait(set, *waiter, Errno::kEIDRM);
  g_sets.Remove(set);
}

Result<void> CheckOperations(const SemSet& set, const vfs::Credentials& credentials,
                             std::span<const abi::SemBuf> operations) {
  bool alters = false;
  for (const abi::SemBuf& operation : operations) {
    if (operation.number >= set.semaphores.size()) return Errno::kEFBIG;
    alters |= operation.operation != 0;
  }
  return set.CheckAccess(credentials, alters ? kIpcWrite : kIpcRead);
}

// Never restarted (semop(2)).
SyscallResult Operate(Task& task, int32_t id, UserPtr<const abi::SemBuf> pointer, uint64_t count,
                      hal::Deadline deadline) {
  if (count < 1 || id < 0) return Errno::kEINVAL;
  if (count > kMaxOperations) return Errno::kE2BIG;
  Vector<abi::SemBuf> operations;
  TRY(operations.Resize(count));
  TRY(task.memory().ReadArray(std::span<abi::SemBuf>(operations), pointer));
  const auto credentials = task.credentials();
  SemWaiter waiter;
  waiter.group = &task.group();
  waiter.operations = operations;
  {
    MutexLock lock(g_sets.lock);
    SemSet& set = *TRY(g_sets.Find(id));
    TRY(CheckOperations(set, *credentials, operations));
    const auto done = Perform(set, task.group(), operations, waiter.blocked_at);
    if (done.ok()) {
      set.operation_time = IpcNow();
      ServeWaiters(set);
      return 0;
    }
    if (done.error() != Errno::kEAGAIN) return done.error();
    if (operations[waiter.blocked_at].flags & kIpcNoWait) return Errno::kEAGAIN;
    set.waiters.PushBack(waiter);
  }
  for (;;) {
    const Task::Pause pause = task.ParkFor(deadline);
    MutexLock lock(g_sets.lock);
    if (waiter.over) {
      if (waiter.error != Errno{}) return waiter.error;
      return 0;
    }
    if (pause == Task::Pause::kAwake) continue;
    waiter.Unlink();
    return pause == Task::Pause::kTimedOut ? Errno::kEAGAIN : Errno::kEINTR;
  }
}

abi::SemidDs Describe(const SemSet& set) {
  abi::SemidDs out = {};
  out.perm = set.ToPerm();
  out.times.otime = set.operation_time;
  out.times.ctime = set.change_time;
  out.count = set.semaphores.size();
  return out;
}

SyscallResult TellLimits(Task& task, int32_t command, UserAddr argument) {
  abi::SemInfo out = {.map = kMaxTotal,
                      .sets = int32_t(vfs::ipc_settings.semmni.get()),
                      .semaphores = kMaxTotal,
                      .undos = kMaxTotal,
                      .per_set = kMaxPerSet,
                      .per_call = kMaxOperations,
                      .undos_per_process = kMaxOperations,
                      .undo_size = 20,
                      .highest = kMaxValue,
                      .highest_on_exit = kMaxValue};
  int32_t highest;
  {
    MutexLock lock(g_sets.lock);
    highest = g_sets.highest();
    if (command == kInfo) {
      out.undo_size = g_sets.count();
      out.highest_on_exit = 0;
      g_sets.ForEach([&](SemSet& set) { out.highest_on_exit += int32_t(set.semaphores.size()); });
    }
  }
  TRY(task.memory().Write(UserPtr<abi::SemInfo>(argument.address), out));
  return uint64_t(highest);
}

// Waiters for an increase, or for zero.
int32_t CountWaiters(SemSet& set, int32_t number, bool for_zero) REQUIRES(g_sets.lock) {
  int32_t count = 0;
  for (SemWaiter& waiter : set.waiters) {
    const abi::SemBuf& blocked = waiter.operations[waiter.blocked_at];
    count += blocked.number == number && (blocked.operation == 0) == for_zero;
  }
  return count;
}

SyscallResult GetOne(Task& task, int32_t id, int32_t number, int32_t command) {
  const auto credentials = task.credentials();
  MutexLock lock(g_sets.lock);
  SemSet& set = *TRY(g_sets.Find(id));
  TRY(set.CheckAccess(*credentials, kIpcRead));
  if (number < 0 || size_t(number) >= set.semaphores.size()) return Errno::kEINVAL;
  switch (command) {
    case kGetPid:
      return uint64_t(set.semaphores[size_t(number)].last);
    case kGetValue:
      return uint64_t(set.semaphores[size_t(number)].value);
    default:
      return uint64_t(CountWaiters(set, number, command == kGetZeroCount));
  }
}

void SetValue(Task& task, SemSet& set, size_t number, int32_t value) REQUIRES(g_sets.lock) {
  set.semaphores[number] = {value, task.group().pid()};
  for (UndoRecord& undo : set.undos) undo.adjustments[number] = 0;
}

SyscallResult SetOne(Task& task, int32_t id, int32_t number, int32_t value) {
  if (value < 0 || value > kMaxValue) return Errno::kERANGE;
  const auto credentials = task.credentials();
  MutexLock lock(g_sets.lock);
  SemSet& set = *TRY(g_sets.Find(id));
  if (number < 0 || size_t(number) >= set.semaphores.size()) return Errno::kEINVAL;
  TRY(set.CheckAccess(*credentials, kIpcWrite));
  SetValue(task, set, size_t(number), value);
  set.change_time = IpcNow();
  ServeWaiters(set);
  return 0;
}

// The number of semaphores of a set never changes, so two looks at it make one.
Result<size_t> CountOf(Task& task, int32_t id, uint32_t wanted) {
  const auto credentials = task.credentials();
  MutexLock lock(g_sets.lock);
  const SemSet& set = *TRY(g_sets.Find(id));
  TRY(set.CheckAccess(*credentials, wanted));
  return set.semaphores.size();
}

SyscallResult GetAll(Task& task, int32_t id, UserAddr argument) {
  Vector<uint16_t> values;
  TRY(values.Resize(TRY(CountOf(task, id, kIpcRead))));
  {
    MutexLock lock(g_sets.lock);
    const SemSet& set = *TRY(g_sets.Find(id));
    for (size_t i = 0; i < values.size(); i++) values[i] = uint16_t(set.semaphores[i].value);
  }
  TRY(task.memory().WriteArray(UserPtr<uint16_t>(argument.address),
                               std::span<const uint16_t>(values)));
  return 0;
}

SyscallResult SetAll(Task& task, int32_t id, UserAddr argument) {
  Vector<uint16_t> values;
  TRY(values.Resize(TRY(CountOf(task, id, kIpcWrite))));
  TRY(task.memory().ReadArray(std::span<uint16_t>(values),
                              UserPtr<const uint16_t>(argument.address)));
  for (uint16_t value : values)
    if (value > kMaxValue) return Errno::kERANGE;
  MutexLock lock(g_sets.lock);
  SemSet& set = *TRY(g_sets.Find(id));
  for (size_t i = 0; i < values.size(); i++) SetValue(task, set, i, values[i]);
  set.change_time = IpcNow();
  ServeWaiters(set);
  return 0;
}

}  // namespace

SyscallResult sys_semget(Task& task, int32_t key, int32_t count, int32_t flags) {
  if (count < 0 || count > kMaxPerSet) return Errno::kEINVAL;
  const auto make = [&]() -> Result<RefPtr<SemSet>> {
    if (count == 0) return Errno::kEINVAL;
    auto set = TRY(MakeRef<SemSet>());
    TRY(set->semaphores.Resize(size_t(count)));
    return set;
  };
  const auto check = [&](SemSet& found) -> Result<void> {
    if (size_t(count) > found.semaphores.size()) return Errno::kEINVAL;
    return {};
  };
  return GetIpc(task, g_sets, key, flags, check, make);
}

SyscallResult sys_semop(Task& task, int32_t id, UserPtr<const abi::SemBuf> operations,
                        uint64_t count) {
  return Operate(task, id, operations, count, hal::Deadline::Never());
}

SyscallResult sys_semtimedop(Task& task, int32_t id, UserPtr<const abi::SemBuf> operations,
                             uint64_t count, UserPtr<const abi::Timespec> timeout) {
  return Operate(task, id, operations, count, TRY(ReadTimeout(task, timeout)));
}

SyscallResult sys_semctl(Task& task, int32_t id, int32_t number, int32_t command,
                         UserAddr argument) {
  if (id < 0) return Errno::kEINVAL;
  switch (command) {
    case kIpcInfo:
    case kInfo:
      return TellLimits(task, command, argument);
    case kIpcStat:
    case kStat:
    case kStatAny:
      return StatIpc(task, g_sets, id, command != kIpcStat, command == kStatAny, Describe,
                     argument);
    case kGetPid:
    case kGetValue:
    case kGetCount:
    case kGetZeroCount:
      return GetOne(task, id, number, command);
    case kGetAll:
      return GetAll(task, id, argument);
    case kSetValue:
      return SetOne(task, id, number, int32_t(argument.address));
    case kSetAll:
      return SetAll(task, id, argument);
    case kIpcSet: {
      const auto wanted = TRY(task.memory().Read(UserPtr<const abi::SemidDs>(argument.address)));
      const auto credentials = task.credentials();
      MutexLock lock(g_sets.lock);
      SemSet& set = *TRY(g_sets.Find(id));
      TRY(set.CheckOwner(*credentials));
      TRY(set.Change(wanted.perm));
      return 0;
    }
    case kIpcRemove: {
      const auto credentials = task.credentials();
      MutexLock lock(g_sets.lock);
      SemSet& set = *TRY(g_sets.Find(id));
      TRY(set.CheckOwner(*credentials));
      RemoveSet(set);
      return 0;
    }
    default:
      return Errno::kEINVAL;
  }
}

void UndoSemaphores(ThreadGroup& group) {
  MutexLock lock(g_sets.lock);
  // The analysis does not see the lock in here.
  g_sets.ForEach([&](SemSet& set) NO_THREAD_SAFETY_ANALYSIS {
    for (size_t i = 0; i < set.undos.size(); i++) {
      if (set.undos[i].owner != &group) continue;
      const Vector<int16_t> adjustments = std::move(set.undos[i].adjustments);
      set.undos.Erase(i);
      for (size_t n = 0; n < adjustments.size(); n++) {
        if (adjustments[n] == 0) continue;
        Semaphore& semaphore = set.semaphores[n];
        semaphore.value = std::clamp(semaphore.value + adjustments[n], 0, kMaxValue);
        semaphore.last = group.pid();
      }
      set.operation_time = IpcNow();
      ServeWaiters(set);
      break;
    }
  });
}

void ShowSemaphores(TextSink& out) {
  out.Append(
      "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n");
  MutexLock lock(g_sets.lock);
  g_sets.ForEach([&](SemSet& set) {
    const TextBuffer<12> mode(Octal{set.mode});
    Write(out, Pad{int64_t(set.key), 10}, ' ', Pad{int64_t(set.id), 10}, "  ",
          PadText{mode.view(), 4}, ' ', Pad{int64_t(set.semaphores.size()), 10}, ' ',
          Pad{int64_t(set.uid), 5}, ' ', Pad{int64_t(set.gid), 5}, ' ', Pad{int64_t(set.cuid), 5},
          ' ', Pad{int64_t(set.cgid), 5}, ' ', Pad{int64_t(set.operation_time), 10}, ' ',
          Pad{int64_t(set.change_time), 10}, '\n');
  });
}

}  // namespace zrun::compat
