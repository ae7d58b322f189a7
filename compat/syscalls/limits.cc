// Resource limits and use: getrlimit(2), getrusage(2), priorities.
#include "compat/abi/types.h"
#include "compat/posix_timers.h"
#include "compat/rusage.h"
#include "compat/syscall_table.h"
#include "compat/task.h"

namespace zrun::compat {
namespace {

struct Rlimit {
  uint64_t soft, hard;
};
RefPtr<Task> FindTask(Task& task, int32_t tid) {
  if (tid == 0 || tid == task.tid()) return RefPtr<Task>(&task);
  MutexLock lock(task.kernel().lock());
  return RefPtr<Task>(task.kernel().pids().FindTask(tid));
}

// prlimit(2): another process must have our ids, or we the capability.
Result<void> CheckSameOwner(Task& task, Task& other) {
  if (&task.group() == &other.group()) return {};
  const auto mine = task.credentials(), theirs = other.credentials();
  const bool same = mine->uid == theirs->uid && mine->uid == theirs->euid &&
                    mine->uid == theirs->suid && mine->gid == theirs->gid &&
                    mine->gid == theirs->egid && mine->gid == theirs->sgid;
  if (!same && !mine->Has(vfs::Capability::kSysResource)) return Errno::kEPERM;
  return {};
}

Result<void> SetLimit(Task& task, ThreadGroup& group, uint32_t resource, const Rlimit& wanted) {
  if (wanted.soft > wanted.hard) return Errno::kEINVAL;
  constexpr uint64_t kMaxFiles = 1048576;  // fs.nr_open
  if (Limit(resource) == Limit::kFiles && wanted.hard > kMaxFiles) return Errno::kEPERM;
  const LimitValue old = group.limits().Get(Limit(resource));
  if (wanted.hard > old.hard && !task.Has(vfs::Capability::kSysResource)) return Errno::kEPERM;
  group.limits().Set(Limit(resource), {wanted.soft, wanted.hard});
  if (Limit(resource) == Limit::kCpu) group.timers().WatchCpuLimit(group);
  if (&group == &task.group() &&
      (Limit(resource) == Limit::kAddressSpace || Limit(resource) == Limit::kData)) {
    task.region().SetLimits(group.limits().soft(Limit::kAddressSpace),
                            group.limits().soft(Limit::kData));
  }
  return {};
}

}  // namespace

SyscallResult sys_prlimit64(Task& task, int32_t pid, uint32_t resource, UserAddr new_limit,
                            UserAddr old_limit) {
  if (resource >= kLimitCount) return Errno::kEINVAL;
  const UserPtr<const Rlimit> wanted(new_limit.address);
  Rlimit change = {};
  if (!wanted.is_null()) change = TRY(task.memory().Read(wanted));
  const auto other = FindTask(task, pid);
  if (!other) return Errno::kESRCH;
  TRY(CheckSameOwner(task, *other));
  const LimitValue old = other->group().limits().Get(Limit(resource));
  if (!wanted.is_null()) TRY(SetLimit(task, other->group(), resource, change));
  if (old_limit.address != 0)
    TRY(task.memory().Write(UserPtr<Rlimit>(old_limit.address), Rlimit{old.soft, old.hard}));
  return 0;
}

SyscallResult sys_getrlimit(Task& task, uint32_t resource, UserAddr limit) {
  if (resource >= kLimitCount) return Errno::kEINVAL;
  const LimitValue value = task.group().limits().Get(Limit(resource));
  TRY(task.memory().Write(UserPtr<Rlimit>(limit.address), Rlimit{value.soft, value.hard}));
  return 0;
}

SyscallResult sys_setrlimit(Task& task, uint32_t resource, UserAddr limit) {
  const Rlimit wanted = TRY(task.memory().Read(UserPtr<const Rlimit>(limit.address)));
  if (resource >= kLimitCount) return Errno::kEINVAL;
  TRY(SetLimit(task, task.group(), resource, wanted));
  return 0;
}

SyscallResult sys_getrusage(Task& task, int32_t who, UserAddr usage) {
  constexpr int32_t kSelf = 0, kChildren = -1, kThread = 1;
  Usage sum;
  if (who == kSelf) {
    sum = task.group().usage();
  } else if (who == kThread) {
    sum = task.usage();
  } else if (who == kChildren) {
    MutexLock lock(task.kernel().lock());
    sum = task.group().children_usage;
  } else {
    return Errno::kEINVAL;
  }
  TRY(task.memory().Write(UserPtr<abi::Rusage>(usage.address), ToRusage(sum)));
  return 0;
}

// ---- Nice values: for a process, a process group or a user.
namespace {

// Calls |visit| with each task that |which| and |who| name; how many there were.
template <typename Visit>
Result<size_t> ForEachNamed(Task& task, int32_t which, int32_t who, Visit visit) {
  constexpr int32_t kProcess = 0, kProcessGroup = 1, kUser = 2;
  if (which < kProcess || which > kUser) return Errno::kEINVAL;
  size_t count = 0;
  if (which == kProcess) {
    const auto other = FindTask(task, who);
    if (other) count++, visit(*other);
    return count;
  }
  const uint32_t uid = who == 0 ? task.credentials()->uid : uint32_t(who);
  MutexLock lock(task.kernel().lock());
  const int32_t group_id = who == 0 ? task.group().process_group->id : who;
  PidTable& pids = task.kernel().pids();
  for (int32_t pid = pids.NextGroup(1); pid >= 0; pid = pids.NextGroup(pid + 1)) {
    ThreadGroup& group = *pids.FindGroup(pid);
    if (which == kProcessGroup && (!group.process_group || group.process_group->id != group_id))
      continue;
    const auto consider = [&](Task& other) {
      if (which == kUser && other.credentials()->uid != uid) return;
      count++;
      visit(other);
    };
    if (group.remains) consider(*group.remains);
    MutexLock group_lock(group.signal_lock);
    for (Task& other : group.tasks) consider(other);
  }
  return count;
}

}  // namespace

SyscallResult sys_getpriority(Task& task, int32_t which, int32_t who) {
  int lowest = 20;
  const size_t found = TRY(ForEachNamed(
      task, which, who, [&](Task& other) { lowest = std::min(lowest, other.nice.load()); }));
  if (found == 0) return Errno::kESRCH;
  return uint64_t(20 - lowest);  // 40..1, so that no value looks like an error
}

SyscallResult sys_setpriority(Task& task, int32_t which, int32_t who, int32_t nice) {
  nice = std::clamp(nice, -20, 19);
  const auto mine = task.credentials();
  Errno error{};
  const size_t found = TRY(ForEachNamed(task, which, who, [&](Task& other) {
    const auto theirs = other.credentials();
    const bool owns = mine->euid == theirs->uid || mine->euid == theirs->euid;
    if (!owns && !mine->Has(vfs::Capability::kSysNice)) {
      error = Errno::kEPERM;
    } else if (nice < other.nice && !other.MayBeNiced(task, nice)) {
      error = Errno::kEACCES;
    } else {
      other.nice = nice;
      other.ApplyScheduling();
    }
  }));
  if (found == 0) return Errno::kESRCH;
  if (error != Errno{}) return error;
  return 0;
}

}  // namespace zrun::compat
