// Scheduling (sched(7)): policies, priorities and affinity are kept and reported here; the machine
// follows them where it schedules itself.
#include "compat/abi/types.h"
#include "compat/syscall_table.h"
#include "compat/task.h"
#include "compat/time_argument.h"

namespace zrun::compat {
namespace {

constexpr int kOther = 0, kFifo = 1, kRoundRobin = 2, kBatch = 3, kIdle = 5, kDeadline = 6;
constexpr uint32_t kResetOnFork = 0x40000000;

bool IsRealTime(int policy) { return policy == kFifo || policy == kRoundRobin; }
bool IsKnown(int policy) {
  return policy == kOther || policy == kBatch || policy == kIdle || IsRealTime(policy);
}

Result<RefPtr<Task>> FindTask(Task& task, int32_t tid) {
  if (tid < 0) return Errno::kEINVAL;
  if (tid == 0 || tid == task.tid()) return RefPtr<Task>(&task);
  MutexLock lock(task.kernel().lock());
  RefPtr<Task> found(task.kernel().pids().FindTask(tid));
  if (!found) return Errno::kESRCH;
  return found;
}

Result<void> CheckSameOwner(Task& task, Task& other) {
  const auto mine = task.credentials(), theirs = other.credentials();
  if (mine->euid != theirs->euid && mine->euid != theirs->uid &&
      !mine->Has(vfs::Capability::kSysNice))
    return Errno::kEPERM;
  return {};
}

// The checks and the change, but for the machine's knowing: ApplyScheduling().
Result<void> SetPolicy(Task& task, Task& other, int policy, int priority, bool reset_on_fork) {
  if (!IsKnown(policy)) return Errno::kEINVAL;
  if (IsRealTime(policy) ? priority < 1 || priority > 99 : priority != 0) return Errno::kEINVAL;
  TRY(CheckSameOwner(task, other));
  if (!task.Has(vfs::Capability::kSysNice)) {
    const uint64_t limit = other.group().limits().soft(Limit::kRtPriority);
    const bool raises = !IsRealTime(other.policy) || priority > other.rt_priority;
    if (IsRealTime(policy) && raises && uint64_t(priority) > limit) return Errno::kEPERM;
    if (other.reset_on_fork && !reset_on_fork) return Errno::kEPERM;
  }
  other.policy = policy;
  other.rt_priority = priority;
  other.reset_on_fork = reset_on_fork;
  return {};
}

struct SchedAttr {  // <linux/sched/types.h>
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
};
constexpr uint32_t kAttrSize = 48;
constexpr uint64_t kFlagResetOnFork = 1, kFlagKeepPolicy = 8, kFlagKeepParameters = 16;
// Reclaiming and overruns concern deadlines; processor clamps (32, 64) are not there.
constexpr uint64_t kAllFlags = 0x1f;
static_assert(sizeof(SchedAttr) == kAttrSize);

// A newer program's larger structure: what is not known here must not be set (E2BIG).
Result<void> CheckRestIsZero(Task& task, UserAddr attributes, uint32_t size) {
  std::array<std::byte, 64> part;
  for (uint32_t at = kAttrSize; at < size;) {
    const auto some = std::span(part).first(std::min<size_t>(size - at, part.size()));
    TRY(task.memory().ReadAll(some, UserPtr<const std::byte>(attributes.address + at)));
    for (std::byte byte : some) {
      if (byte == std::byte{}) continue;
      TRY(task.memory().Write(UserPtr<uint32_t>(attributes.address), kAttrSize));
      return Errno::kE2BIG;
    }
    at += uint32_t(some.size());
  }
  return {};
}

// SCHED_DEADLINE is for nobody here, but its arguments are checked before the right to it: runtime
// <= deadline <= period, at least 1 us and less than 2^63 ns. Source: Linux's __checkparam_dl().
bool IsValidDeadline(const SchedAttr& attributes) {
  constexpr uint64_t kLeastRuntime = 1024, kSign = uint64_t{1} << 63;
  constexpr uint64_t kLeastPeriod = 100'000, kMostPeriod = uint64_t{1} << 22;  // us, sysctls
  const uint64_t deadline = attributes.deadline;
  const uint64_t period = attributes.period ? attributes.period : deadline;
  if (attributes.priority != 0 || deadline == 0 || attributes.runtime < kLeastRuntime) return false;
  if ((deadline & kSign) || (period & kSign)) return false;
  if (period < deadline || deadline < attributes.runtime) return false;
  return period >= kLeastPeriod && period <= kMostPeriod * 1000;
}

}  // namespace

void Task::ApplyScheduling() {
  static constexpr hal::SchedulingPolicy kPolicies[] = {
      hal::SchedulingPolicy::kNormal,     hal::SchedulingPolicy::kFifo,
      hal::SchedulingPolicy::kRoundRobin, hal::SchedulingPolicy::kBatch,
      hal::SchedulingPolicy::kNormal,  // not used
      hal::SchedulingPolicy::kIdle};
  SetScheduling({kPolicies[policy.load()], int8_t(nice.load()), uint8_t(rt_priority.load()),
                 affinity.load()});
}

bool Task::MayBeNiced(Task& caller, int value) {
  return uint64_t(20 - value) <= group().limits().soft(Limit::kNice) ||
         caller.Has(vfs::Capability::kSysNice);
}

SyscallResult sys_sched_yield(Task&) {
  hal::Yield();
  return 0;
}

SyscallResult sys_sched_setscheduler(Task& task, int32_t tid, int32_t policy,
                                     UserPtr<const int32_t> parameter) {
  if (policy < 0 || parameter.is_null()) return Errno::kEINVAL;
  const int priority = TRY(task.memory().Read(parameter));
  const auto other = TRY(FindTask(task, tid));
  TRY(SetPolicy(task, *other, int(uint32_t(policy) & ~kResetOnFork), priority,
                uint32_t(policy) & kResetOnFork));
  other->ApplyScheduling();
  return 0;
}

SyscallResult sys_sched_setparam(Task& task, int32_t tid, UserPtr<const int32_t> parameter) {
  if (parameter.is_null()) return Errno::kEINVAL;
  const int priority = TRY(task.memory().Read(parameter));
  const auto other = TRY(FindTask(task, tid));
  TRY(SetPolicy(task, *other, other->policy, priority, other->reset_on_fork));
  other->ApplyScheduling();
  return 0;
}

SyscallResult sys_sched_getscheduler(Task& task, int32_t tid) {
  const auto other = TRY(FindTask(task, tid));
  return uint64_t(other->policy) | (other->reset_on_fork ? kResetOnFork : 0);
}

SyscallResult sys_sched_getparam(Task& task, int32_t tid, UserPtr<int32_t> parameter) {
  if (parameter.is_null()) return Errno::kEINVAL;
  const auto other = TRY(FindTask(task, tid));
  TRY(task.memory().Write(parameter, other->rt_priority.load()));
  return 0;
}

SyscallResult sys_sched_get_priority_max(Task&, int32_t policy) {
  if (IsRealTime(policy)) return 99;
  if (IsKnown(policy) || policy == kDeadline) return 0;
  return Errno::kEINVAL;
}
SyscallResult sys_sched_get_priority_min(Task&, int32_t policy) {
  if (IsRealTime(policy)) return 1;
  if (IsKnown(policy) || policy == kDeadline) return 0;
  return Errno::kEINVAL;
}

SyscallResult sys_sched_rr_get_interval(Task& task, int32_t tid, UserPtr<abi::Timespec> interval) {
  const auto other = TRY(FindTask(task, tid));
  const hal::Nanoseconds slice = other->policy == kRoundRobin ? 100'000'000
                                 : other->policy == kFifo     ? 0
                                                              : 3'000'000;
  TRY(task.memory().Write(interval, ToTimespec(slice)));
  return 0;
}

SyscallResult sys_sched_setaffinity(Task& task, int32_t tid, uint32_t size,
                                    UserPtr<const std::byte> mask) {
  uint64_t wanted = 0;
  const std::span<std::byte> bytes = std::as_writable_bytes(std::span(&wanted, 1));
  TRY(task.memory().ReadAll(bytes.first(std::min<size_t>(size, 8)), mask));
  if (tid < 0) return Errno::kESRCH;
  const auto other = TRY(FindTask(task, tid));
  TRY(CheckSameOwner(task, *other));
  wanted &= hal::AllowedCpus();
  if (wanted == 0) return Errno::kEINVAL;
  if (other.get() == &task) {
    TRY(hal::SetAffinity(wanted));
    task.affinity = wanted;
  } else {
    other->affinity = wanted;
    other->Demand(Task::kAttendAffinity);  // only a thread itself can move
  }
  return 0;
}

SyscallResult sys_sched_getaffinity(Task& task, int32_t tid, uint32_t size,
                                    UserPtr<std::byte> mask) {
  if (size < 8 || size % 8 != 0) return Errno::kEINVAL;
  if (tid < 0) return Errno::kESRCH;
  const auto other = TRY(FindTask(task, tid));
  const uint64_t affinity = other->affinity;
  TRY(task.memory().WriteAll(mask, std::as_bytes(std::span(&affinity, 1))));
  return 8;
}

SyscallResult sys_sched_setattr(Task& task, int32_t tid, UserAddr attributes, uint32_t flags) {
  if (attributes.address == 0 || flags != 0) return Errno::kEINVAL;
  const UserPtr<const SchedAttr> from(attributes.address);
  const uint32_t size = TRY(task.memory().Read(from.as<const uint32_t>()));
  if ((size != 0 && size < kAttrSize) || size > hal::kPageSize) {
    TRY(task.memory().Write(UserPtr<uint32_t>(attributes.address), kAttrSize));
    return Errno::kE2BIG;
  }
  TRY(CheckRestIsZero(task, attributes, size));
  SchedAttr wanted = TRY(task.memory().Read(from));
  if (int(wanted.policy) < 0 || (wanted.flags & ~kAllFlags)) return Errno::kEINVAL;
  if (wanted.policy == uint32_t(kDeadline))
    return IsValidDeadline(wanted) ? Errno::kEPERM : Errno::kEINVAL;
  const auto other = TRY(FindTask(task, tid));
  if (wanted.flags & kFlagKeepPolicy) {
    wanted.policy = uint32_t(other->policy);
    if (other->reset_on_fork) wanted.flags |= kFlagResetOnFork;
  }
  if (wanted.flags & kFlagKeepParameters) {  // the policy's: another is checked as it was given
    if (IsRealTime(other->policy)) {
      wanted.priority = uint32_t(other->rt_priority);
    } else {
      wanted.nice = other->nice;
    }
  }
  const int nice = std::clamp(wanted.nice, -20, 19);
  const bool sets_nice = !IsRealTime(int(wanted.policy));
  if (sets_nice && nice < other->nice && !other->MayBeNiced(task, nice)) return Errno::kEPERM;
  TRY(SetPolicy(task, *other, int(wanted.policy), int(wanted.priority),
                wanted.flags & kFlagResetOnFork));
  if (sets_nice) other->nice = nice;
  other->ApplyScheduling();
  return 0;
}

SyscallResult sys_sched_getattr(Task& task, int32_t tid, UserAddr attributes, uint32_t size,
                                uint32_t flags) {
  if (attributes.address == 0 || flags != 0 || size < kAttrSize || size > hal::kPageSize)
    return Errno::kEINVAL;
  const auto other = TRY(FindTask(task, tid));
  SchedAttr out = {};
  out.size = kAttrSize;
  out.policy = uint32_t(other->policy);
  out.flags = other->reset_on_fork;
  out.nice = other->nice;
  out.priority = uint32_t(other->rt_priority);
  TRY(task.memory().Write(UserPtr<SchedAttr>(attributes.address), out));
  return 0;
}

SyscallResult sys_getcpu(Task& task, UserPtr<uint32_t> cpu, UserPtr<uint32_t> node,
                         UserAddr /*cache*/) {
  if (cpu) TRY(task.memory().Write(cpu, hal::CurrentCpu()));
  if (node) TRY(task.memory().Write(node, 0));
  return 0;
}

SyscallResult sys_ioprio_get(Task& task, int32_t which, int32_t who) {
  if (which < 1 || which > 3) return Errno::kEINVAL;
  return uint64_t(TRY(FindTask(task, which == 1 ? who : 0))->io_priority);
}

SyscallResult sys_ioprio_set(Task& task, int32_t which, int32_t who, int32_t priority) {
  constexpr int kClassShift = 13, kNone = 0, kRealTime = 1, kIdleClass = 3;
  // Between class and level there is a hint, which may be anything.
  const int io_class = priority >> kClassShift & 7, level = priority & 7;
  if (which < 1 || which > 3) return Errno::kEINVAL;
  if (io_class > kIdleClass) return Errno::kEINVAL;
  if (io_class == kNone && level != 0) return Errno::kEINVAL;
  if (io_class == kRealTime && !task.Has(vfs::Capability::kSysNice) &&
      !task.Has(vfs::Capability::kSysAdmin))
    return Errno::kEPERM;
  const auto other = TRY(FindTask(task, which == 1 ? who : 0));
  if (!other->MustExit()) other->io_priority = priority;
  return 0;
}

}  // namespace zrun::compat
