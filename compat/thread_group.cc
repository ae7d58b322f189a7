#include "compat/thread_group.h"

#include "compat/pidfd.h"
#include "compat/posix_timers.h"
#include "compat/task.h"

namespace zrun::compat {

using namespace abi;

Limits::Limits() {
  for (size_t i = 0; i < kLimitCount; i++) Set(Limit(i), {kUnlimited, kUnlimited});
  Set(Limit::kStack, {8 << 20, kUnlimited});
  Set(Limit::kCore, {0, kUnlimited});
  Set(Limit::kFiles, {1024, 1 << 20});
  Set(Limit::kLocked, {8 << 20, 8 << 20});
  Set(Limit::kPendingSignals, {31'000, 31'000});
  Set(Limit::kMessageQueues, {819'200, 819'200});
  Set(Limit::kNice, {0, 0});
  Set(Limit::kRtPriority, {0, 0});
}

void Usage::Add(const Usage& other) {
  user += other.user;
  system += other.system;
  minor_faults += other.minor_faults;
  major_faults += other.major_faults;
  voluntary_switches += other.voluntary_switches;
  involuntary_switches += other.involuntary_switches;
  read_bytes += other.read_bytes;
  written_bytes += other.written_bytes;
  read_calls += other.read_calls;
  write_calls += other.write_calls;
  max_resident_bytes = std::max(max_resident_bytes, other.max_resident_bytes);
}

Result<RefPtr<ThreadGroup>> ThreadGroup::Create(int32_t pid, RefPtr<Process> process,
                                                RefPtr<SignalActions> actions) {
  auto timers = TRY(MakeOwned<PosixTimers>());
  return MakeRef<ThreadGroup>(pid, std::move(process), std::move(actions), std::move(timers));
}

ThreadGroup::ThreadGroup(int32_t pid, RefPtr<Process> process, RefPtr<SignalActions> its_actions,
                         OwnPtr<PosixTimers> timers)
    : actions(std::move(its_actions)),
      pid_(pid),
      process_(std::move(process)),
      start_time_(hal::MonotonicNow()),
      timers_(std::move(timers)) {}

ThreadGroup::~ThreadGroup() = default;

Usage ThreadGroup::usage() {
  MutexLock lock(signal_lock);
  Usage total = dead_usage;
  for (Task& task : tasks) total.Add(task.usage());
  // A machine may not know what is resident, or only of the caller: what is mapped counts.
  if (auto region = process_->region(); region && total.max_resident_bytes == 0)
    total.max_resident_bytes = region->totals().total_bytes;
  return total;
}

hal::CpuTimes ThreadGroup::cpu_times() {
  const Usage total = usage();
  return {total.user, total.system};
}

int ThreadGroup::thread_count() {
  MutexLock lock(signal_lock);
  return live_tasks;
}

RefPtr<Task> ThreadGroup::AnyTask() {
  MutexLock lock(signal_lock);
  if (leader) return RefPtr<Task>(leader);
  return RefPtr<Task>(tasks.front());
}

void BeginGroupExit(ThreadGroup& group, int status) {
  if (group.exiting) return;
  group.exiting = true;
  group.group_status = status;
  group.stop_signal = 0;
  group.stopping_tasks = 0;
  group.is_stopped = false;
  group.stop_reportable = false;
  group.continue_reportable = false;
  for (Task& task : group.tasks) task.Demand(Task::kAttendExit);
}

}  // namespace zrun::compat
