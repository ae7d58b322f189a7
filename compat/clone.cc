#include "compat/clone.h"

#include "compat/abi/arch.h"
#include "compat/exec.h"
#include "compat/exit.h"
#include "compat/pidfd.h"

namespace zrun::compat {

using namespace abi;

namespace {

Result<void> CheckFlags(Task& parent, const CloneRequest& request) {
  const uint64_t flags = request.flags;
  auto all = [&](uint64_t bits) { return (flags & bits) == bits; };
  if (all(kCloneNewNs | kCloneFs) || all(kCloneNewUser | kCloneFs)) return Errno::kEINVAL;
  if ((flags & kCloneThread) && !(flags & kCloneSighand)) return Errno::kEINVAL;
  if ((flags & kCloneSighand) && !(flags & kCloneVm)) return Errno::kEINVAL;
  if ((flags & kCloneParent) && parent.group().unkillable.load()) return Errno::kEINVAL;
  if ((flags & kCloneThread) && (flags & (kCloneNewUser | kCloneNewPid))) return Errno::kEINVAL;
  if ((flags & kClonePidFd) && (flags & (kCloneDetached | kCloneThread))) return Errno::kEINVAL;
  if (all(kCloneClearSighand | kCloneSighand)) return Errno::kEINVAL;
  if ((flags & kCloneSetTls) && request.tls >= kUserTop) return Errno::kEPERM;
  return CheckNamespaces(parent, flags);
}

// RLIMIT_NPROC counts threads of the real user; root and the privileged are free.
Result<void> CheckProcessLimit(Task& parent) {
  if (!parent.account) return {};
  const uint64_t limit = parent.group().limits().soft(Limit::kProcesses);
  if (parent.account->tasks.load() < limit) return {};
  auto credentials = parent.credentials();
  if (credentials->uid == 0 || credentials->Has(vfs::Capability::kSysResource) ||
      credentials->Has(vfs::Capability::kSysAdmin))
    return {};
  return Errno::kEAGAIN;
}

}  // namespace

Result<void> CheckNamespaces(Task& task, uint64_t flags) {
  if (!(flags & kCloneNamespaces)) return {};
  if (!(flags & kCloneNewUser) && !task.Has(vfs::Capability::kSysAdmin)) return Errno::kEPERM;
  return Errno::kEINVAL;  // as a kernel built without them answers
}

// What a clone is made of until it runs.
struct TaskBuilder::Parts final : VmAddressRegion::ForkClient {
  int32_t pid = 0;
  RefPtr<ThreadGroup> group;
  RefPtr<Task> task;
  RefPtr<VforkGate> gate;
  Fd pid_fd{-1};
  RefPtr<vfs::FileDescription> pid_file;

  void Adopt(RefPtr<VmAddressRegion> region) override {
    const Limits& limits = group->limits();
    region->SetLimits(limits.soft(Limit::kAddressSpace), limits.soft(Limit::kData));
    task->memory_context_->Adopt(region);
    task->region_ = region;
    static_cast<void>(group->process().ReplaceRegion(std::move(region)));
  }
};

SyscallResult CloneTask(Task& parent, const CloneRequest& request) {
  return TaskBuilder::Clone(parent, request);
}

SyscallResult TaskBuilder::Clone(Task& parent, const CloneRequest& request) {
  TRY(CheckFlags(parent, request));
  // Signals that came before the fork are the parent's alone.
  if (parent.HasPendingSignal()) return Errno::kRestartNoIntr;
  TRY(CheckProcessLimit(parent));
  Kernel& kernel = Kernel::Get();
  Parts parts;
  {
    MutexLock lock(Kernel::Get().lock());
    if (request.wanted_tid) {
      TRY(Kernel::Get().pids().AllocateExactly(request.wanted_tid));
      parts.pid = request.wanted_tid;
    } else {
      parts.pid = TRY(Kernel::Get().pids().Allocate());
    }
  }
  Result<void> done = Assemble(parent, request, parts);
  if (done.ok()) done = Link(parent, request, parts);
  if (!done.ok()) {
    if (parts.pid_fd.value >= 0) parent.fds().Unreserve(parts.pid_fd);
    MutexLock lock(Kernel::Get().lock());
    Kernel::Get().pids().Cancel(parts.pid);
    return done.error();
  }
  const int32_t pid = parts.pid;
  UserMemory memory = parent.memory();
  const UserPtr<int32_t> parent_tid(request.parent_tid);
  const bool tell = request.flags & kCloneParentSetTid;
  // A child with a memory of its own does not see it. Linux ignores a bad address.
  if (tell && (request.flags & kCloneVm)) static_cast<void>(memory.Write(parent_tid, pid));
  if (auto started = Start(parent, request, parts); !started.ok()) {
    Unlink(parts);
    if (parts.pid_fd.value >= 0) parent.fds().Unreserve(parts.pid_fd);
    return started.error();
  }
  if (tell && !(request.flags & kCloneVm)) static_cast<void>(memory.Write(parent_tid, pid));
  if (parts.pid_file) {
    const Rights rights = parts.pid_file->default_rights();
    parent.fds().Publish(parts.pid_fd, Handle(std::move(parts.pid_file), rights), true);
  }
  kernel.forks.fetch_add(1, std::memory_order_relaxed);
  if (parts.gate) WaitForVfork(parent, *parts.gate);
  return uint64_t(pid);
}

Result<void> TaskBuilder::Assemble(Task& parent, const CloneRequest& request, Parts& parts) {
  const uint64_t flags = request.flags;
  const bool shares_memory = flags & kCloneVm;
  if (flags & kCloneThread) {
    parts.group = parent.group_;
  } else {
    ThreadGroup& from = parent.group();
    auto actions = flags & kCloneSighand ? from.actions : TRY(from.actions->Clone());
    if (flags & kCloneClearSighand) actions->Reset();
    auto process = TRY(Process::Create(RefPtr<Job>(&from.process().job()),
                                       shares_memory ? parent.region_ : nullptr));
    parts.group = TRY(ThreadGroup::Create(parts.pid, std::move(process), std::move(actions)));
    parts.group->limits().CopyFrom(from.limits());
    parts.group->oom_score_adj.store(from.oom_score_adj.load());
    parts.group->gave_up_terminal.store(from.gave_up_terminal.load());
  }
  parts.task = TRY(MakeRef<Task>(parts.group));
  Task& task = *parts.task;
  task.tid_.store(parts.pid, std::memory_order_relaxed);
  task.fds_ = flags & kCloneFiles ? parent.fds_ : TRY(parent.fds_->Clone());
  task.fs_ = flags & kCloneFs ? parent.fs_ : TRY(parent.fs_->Clone());
  if (shares_memory) {
    task.memory_context_ = parent.memory_context_;
    task.region_ = parent.region_;
  } else {
    task.memory_context_ = TRY(parent.memory_context_->CloneForFork());
  }
  if (flags & kCloneVfork) task.vfork_gate_ = TRY(MakeRef<VforkGate>(hal::CurrentThread()));
  parts.gate = task.vfork_gate_;

  {
    auto credentials = parent.credentials();
    MutexLock lock(task.lock_);
    task.credentials_ = std::move(credentials);
  }
  task.SetName(parent.name());
  task.account = parent.account;
  task.signals_.mask = parent.signals_.mask;
  // The alternate stack belongs to one thread of an address space; vfork's child borrows it.
  if (!shares_memory || (flags & kCloneVfork))
    task.signals_.alternate_stack = parent.signals_.alternate_stack;
  task.start_registers_ = parent.registers();
  task.start_registers_.set_return_value(0);
  if (request.stack) task.start_registers_.set_sp(request.stack);
  task.start_thread_pointer_ = flags & kCloneSetTls ? request.tls : hal::ThreadPointer();
  if (flags & kCloneChildSetTid) task.child_tid_address_ = request.child_tid;
  if (flags & kCloneChildClearTid) task.clear_child_tid = request.child_tid;

  const bool reset = parent.reset_on_fork.load();
  const int policy = parent.policy.load(), nice = parent.nice.load();
  task.policy.store(reset && policy != 3 && policy != 5 ? 0 : policy);
  task.rt_priority.store(reset ? 0 : parent.rt_priority.load());
  task.nice.store(reset && nice < 0 ? 0 : nice);
  task.affinity.store(parent.affinity.load());
  // The machine copies the parent's, which may not have followed yet.
  if (parent.attention_.load() & Task::kAttendAffinity) task.Demand(Task::kAttendAffinity);
  if (reset) task.ApplyScheduling();
  task.timer_slack.store(parent.timer_slack.load());
  task.io_priority.store(parent.io_priority.load());
  task.personality.store(parent.personality.load());
  task.no_new_privs.store(parent.no_new_privs.load());
  task.keep_caps.store(parent.keep_caps.load());

  if (flags & kClonePidFd) {
    parts.pid_file = TRY(CreatePidFd(parts.group, vfs::OpenFlags::kReadWrite));
    parts.pid_fd = TRY(parent.fds().Reserve(parent.group().limits().soft(Limit::kFiles)));
    TRY(parent.memory().Write(UserPtr<int32_t>(request.pid_fd), parts.pid_fd.value));
  }
  return {};
}

// From here on others can see the child.
Result<void> TaskBuilder::Link(Task& parent, const CloneRequest& request, Parts& parts) {
  Kernel& kernel = Kernel::Get();
  ThreadGroup& from = parent.group();
  ThreadGroup& group = *parts.group;
  Task& task = *parts.task;
  MutexLock lock(Kernel::Get().lock());
  if (&group == &from) {
    MutexLock signal_lock(from.signal_lock);
    if (parent.HasPendingSignal()) return Errno::kRestartNoIntr;
    from.tasks.PushBack(task);
    from.live_tasks++;
  } else {
    {
      MutexLock signal_lock(from.signal_lock);
      if (parent.HasPendingSignal()) return Errno::kRestartNoIntr;
    }
    const bool sibling = request.flags & kCloneParent;
    group.parent = sibling ? from.parent : &from;
    group.parent_tid = sibling ? from.parent_tid : parent.tid();
    group.exit_signal = sibling ? from.exit_signal : request.exit_signal;
    group.real_uid = parent.credentials()->uid;
    group.process_group = from.process_group;
    group.process_group->members.PushBack(group);
    if (group.parent) group.parent->children.PushBack(group);
    group.AddRef();  // the table's, until it is reaped
    Kernel::Get().pids().SetGroup(parts.pid, &group);
    MutexLock signal_lock(group.signal_lock);
    group.tasks.PushBack(task);
    group.live_tasks = 1;
    group.leader = &task;
  }
  Kernel::Get().pids().SetTask(parts.pid, &task);
  task.memory_context_->users.fetch_add(1);
  if (task.account) task.account->tasks.fetch_add(1);
  kernel.threads.fetch_add(1);
  return {};
}

void TaskBuilder::Unlink(Parts& parts) {
  Kernel& kernel = Kernel::Get();
  ThreadGroup& group = *parts.group;
  Task& task = *parts.task;
  MutexLock lock(Kernel::Get().lock());
  task.memory_context_->RemoveUser();
  if (task.account) task.account->tasks.fetch_sub(1);
  kernel.threads.fetch_sub(1);
  bool whole;
  {
    MutexLock signal_lock(group.signal_lock);
    group.tasks.Remove(task);
    group.live_tasks--;
    whole = group.leader == &task;
    if (whole) group.leader = nullptr;
  }
  Kernel::Get().pids().SetTask(parts.pid, nullptr);
  if (whole) Exit::Forget(group);
}

Result<void> TaskBuilder::Start(Task& parent, const CloneRequest& request, Parts& parts) {
  if (request.flags & kCloneVm) return parts.task->Thread::Start(parent.region_->space());
  return parent.region_->Fork(*parts.task, parts);
}

Result<RefPtr<ThreadGroup>> TaskBuilder::StartFirst(First first, RefPtr<Session> session,
                                                    ThreadGroup* reaper) {
  Kernel& kernel = Kernel::Get();
  auto process = TRY(Process::Create(kernel.job(), first.region));
  auto group =
      TRY(ThreadGroup::Create(first.pid, std::move(process), TRY(SignalActions::Create())));
  auto task = TRY(MakeRef<Task>(group));
  task->tid_.store(first.pid, std::memory_order_relaxed);
  task->fds_ = std::move(first.fds);
  task->fs_ = std::move(first.fs);
  task->memory_context_ = TRY(MemoryContext::Create(first.region));
  task->memory_context_->users.store(1);
  task->region_ = first.region;
  task->account = TRY(UserAccount::Of(first.credentials->uid));
  task->account->tasks.fetch_add(1);
  const uint32_t uid = first.credentials->uid;
  task->SetCredentials(std::move(first.credentials));
  task->exec_plan_ = std::move(first.plan);
  {
    MutexLock lock(Kernel::Get().lock());
    TRY(Kernel::Get().pids().AllocateExactly(first.pid));
    // pid 1 is out of reach of others' default actions, be it the program or not.
    if (!reaper) group->unkillable.store(true);
    Kernel::Get().init_ = reaper ? reaper : group.get();
    Kernel::Get().main_ = group.get();
    group->parent = first.parent;
    group->real_uid = uid;
    group->process_group = TRY(MakeRef<ProcessGroup>(first.pid, session));
    Kernel::Get().pids().SetProcessGroup(first.pid, group->process_group.get());
    Kernel::Get().pids().SetSession(first.pid, session.get());
    group->process_group->members.PushBack(*group);
    if (group->parent) group->parent->children.PushBack(*group);
    group->AddRef();
    Kernel::Get().pids().SetGroup(first.pid, group.get());
    Kernel::Get().pids().SetTask(first.pid, task.get());
    MutexLock signal_lock(group->signal_lock);
    group->tasks.PushBack(*task);
    group->live_tasks = 1;
    group->leader = task.get();
  }
  kernel.threads.fetch_add(1);
  TRY(task->Thread::Start(first.region->space()));
  return group;
}

}  // namespace zrun::compat
