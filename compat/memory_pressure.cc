#include "compat/memory_pressure.h"

#include <algorithm>
#include <new>

#include "compat/exit.h"
#include "objects/ipc/timer.h"
#include "objects/vm/page_reclaim.h"

namespace zrun::compat {
namespace {

bool MayBeKilled(ThreadGroup& group) {
  constexpr int kNever = -1000;
  MutexLock lock(group.signal_lock);
  return group.live_tasks > 0 && !group.exiting && group.oom_score_adj.load() != kNever;
}

// What the process's end would give back, as far as the kernel can tell: what it keeps for it, or
// where a host does that what is mapped. 0 if it must not end, or is on its way already.
uint64_t Weight(ThreadGroup& group) REQUIRES(Kernel::Get().lock()) {
  auto region = group.process().region();
  if (!region || !MayBeKilled(group)) return 0;
  int64_t bytes = int64_t(region->private_bytes());
  if (bytes == 0) {
    const VmAddressRegion::Totals totals = region->totals();
    bytes = int64_t(totals.data_bytes + totals.stack_bytes);
  }
  const int64_t adjust = int64_t(hal::TotalRam() / 1000) * group.oom_score_adj.load();
  return uint64_t(std::max<int64_t>(bytes + adjust, 1));
}

}  // namespace

void KillForMemory(ThreadGroup& group, const Task::Name& name) {
  Kernel::Get().Log(LogLevel::kError, "out of memory: killed process ", group.pid(), " (", name,
                    ")");
  MutexLock lock(group.signal_lock);
  BeginGroupExit(group, abi::kSigKill);
}

void KillLargest() {
  MutexLock lock(Kernel::Get().lock());
  PidTable& pids = Kernel::Get().pids();
  ThreadGroup* victim = nullptr;
  uint64_t most = 0;
  for (int32_t pid = pids.NextGroup(2); pid >= 0; pid = pids.NextGroup(pid + 1)) {
    ThreadGroup* group = pids.FindGroup(pid);
    const uint64_t weight = Weight(*group);
    if (weight <= most) continue;
    most = weight;
    victim = group;
  }
  if (!victim) {
    ThreadGroup* init = pids.FindGroup(1);
    if (init && Weight(*init) > 0) victim = init;
  }
  if (!victim) return;
  auto task = victim->AnyTask();
  KillForMemory(*victim, task ? task->name() : Task::Name());
}

namespace {

// On the timers' thread: who runs short may hold locks.
class Killer final : public DeadlineCallback {
 public:
  void OnDeadline() override { KillLargest(); }
};
alignas(Killer) constinit std::byte g_killer[sizeof(Killer)] = {};

}  // namespace

void StartMemoryKiller() {
  new (g_killer) Killer;
  SetMemoryKiller(
      [] { std::launder(reinterpret_cast<Killer*>(g_killer))->Arm({hal::MonotonicNow()}); });
}

}  // namespace zrun::compat
