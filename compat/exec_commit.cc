#include "compat/abi/arch.h"
#include "compat/exec.h"
#include "compat/exit.h"
#include "compat/futex.h"
#include "compat/posix_timers.h"

// The half of execve that cannot be undone.
namespace zrun::compat {

using namespace abi;

Result<void> ExecPlan::Commit(Task& task, OwnPtr<ExecPlan> plan) {
  // What can fail comes first.
  RefPtr<FdTable> fds;
  if (task.fds_->ref_count() > 1) fds = TRY(task.fds_->Clone());
  RefPtr<SignalActions> actions;
  if (task.group_->actions->ref_count() > 1) actions = TRY(task.group_->actions->Clone());
  TRY(BecomeOnlyThread(task));

  ThreadGroup& group = task.group();
  if (actions) {
    MutexLock lock(group.signal_lock);
    std::swap(group.actions, actions);
  }
  group.actions->Reset();
  DropOldProgram(task);
  if (fds) task.ReplaceFds(std::move(fds));
  task.fds_->CloseOnExec();
  task.SetName(plan->comm_.view());
  if (plan->secure_) {
    // PER_CLEAR_ON_SETID: READ_IMPLIES_EXEC, ADDR_NO_RANDOMIZE, MMAP_PAGE_ZERO, ADDR_COMPAT_LAYOUT
    task.personality.fetch_and(~0x0744'0000u);
    const LimitValue stack = group.limits().Get(Limit::kStack);
    constexpr uint64_t kUsualStack = 8 << 20;
    if (stack.soft > kUsualStack) group.limits().Set(Limit::kStack, {kUsualStack, stack.hard});
  }
  plan->InstallCredentials(task);
  {
    MutexLock lock(Kernel::Get().lock());
    group.has_execed = true;
    group.exit_signal = kSigChld;
    group.real_uid = task.credentials()->uid;
  }
  ExecPlan& self = *plan;
  auto entered = self.EnterMemory(task, plan);
  if (!entered.ok() && entered.error() != kThreadMoved) {
    MutexLock lock(group.signal_lock);
    BeginGroupExit(group, kSigKill);
  }
  return entered;
}

// de_thread: the other threads end, and this one takes the process's number if it was not the
// first.
Result<void> ExecPlan::BecomeOnlyThread(Task& task) {
  ThreadGroup& group = task.group();
  {
    MutexLock lock(group.signal_lock);
    if (group.exiting || group.exec_task) return Errno::kEAGAIN;
    bool alone = true;
    for (Task& other : group.tasks) {
      if (&other == &task) continue;
      alone = false;
      other.Demand(Task::kAttendExit);
    }
    if (alone && group.leader == &task) return {};
    group.exec_task = &task;
  }
  for (;;) {
    {
      MutexLock lock(group.signal_lock);
      const bool alone = group.tasks.front() == &task && group.tasks.back() == &task;
      if (alone || group.exiting) {
        group.exec_task = nullptr;
        if (!alone) return Errno::kEAGAIN;  // and now it ends as well
        break;
      }
    }
    if (hal::Park(hal::Deadline::Never(), hal::Interruptible::kYes) == hal::ParkOutcome::kKicked)
      hal::ClearKick();
  }
  MutexLock lock(Kernel::Get().lock());
  if (task.tid() != group.pid()) {
    for (ThreadGroup& child : group.children)
      if (child.parent_tid == task.tid()) child.parent_tid = group.pid();
    Kernel::Get().pids().SetTask(task.tid(), nullptr);
    task.tid_.store(group.pid(), std::memory_order_relaxed);
    Kernel::Get().pids().SetTask(group.pid(), &task);
    group.remains = nullptr;
  }
  MutexLock signal_lock(group.signal_lock);
  group.leader = &task;
  return {};
}

// Everything of a thread that belongs to the program it ran.
void ExecPlan::DropOldProgram(Task& task) {
  ReleaseUserLocks(task);
  ReleasePiWaiters(task, false);
  task.group().timers().DeletePosix();
  task.signals_.alternate_stack = {0, kSsDisable, 0, 0};
  task.signals_.restore_mask = false;
  task.restart_ = {};
  task.keep_caps.store(false);
  task.last_fault = {};
  task.ForgetSyscall();
}

void ExecPlan::Introduce(Task& task) {
  task.SetName(comm_.view());
  task.memory_context().SetExecutable(program_.file);
}

Result<void> ExecPlan::EnterMemory(Task& task, OwnPtr<ExecPlan>& self) {
  RefPtr<MemoryContext> old = task.memory_context_;
  RefPtr<VmAddressRegion> region = task.region_;
  const bool fresh = old->users.load() > 1 || !region->has_vdso();
  if (fresh) region = TRY(VmAddressRegion::Create(TRY(hal::CreateAddressSpace())));
  auto context = TRY(MemoryContext::Create(region));
  context->users.store(1);
  context->dumpable.store(unreadable_ ? 0 : 1);
  context->SetExecutable(program_.file);
  {
    MutexLock lock(task.lock_);
    std::swap(task.memory_context_, context);
  }
  RefPtr<VforkGate> gate = std::move(task.vfork_gate_);
  if (!fresh) {
    old->RemoveUser();
    context = nullptr;
    old = nullptr;
    TRY(region->Clear());
    if (gate) gate->Open();
    Finish(task);
    return {};
  }
  task.region_ = region;
  hal::AddressSpace& space = region->space();
  RefPtr<VmAddressRegion> old_region = task.process().ReplaceRegion(region);
  task.exec_plan_ = std::move(self);
  if (auto moved = task.MoveTo(space); !moved.ok()) {
    old->RemoveUser();
    if (gate) gate->Open();
    return moved.error();
  }
  // From here on the task belongs to its other thread.
  old->RemoveUser();
  if (gate) gate->Open();
  return kThreadMoved;
}

}  // namespace zrun::compat
