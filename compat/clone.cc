#include "compat/clone.h"

#include <optional>

#include "compat/abi/arch.h"
#include "compat/blocking.h"
#include "compat/exec.h"
#include "compat/exit.h"
#include "compat/pidfd.h"
#include "compat/posix_timers.h"

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
  if ((flags & kClonePidFd) && (flags & kCloneDetached)) return Errno::kEINVAL;
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

// EFAULT unless |size| bytes there can be written.
Result<void> CheckWritable(Task& task, uint64_t address, size_t size) {
  for (const uint64_t byte : {address, address + size - 1}) {
    auto writable = task.region().HandleFault(byte, hal::Access::kWrite);
    if (!writable.ok()) return Errno::kEFAULT;
  }
  return {};
}

}  // namespace

Result<void> CheckNamespaces(Task& task, uint64_t flags) {
  if (!(flags & kCloneNamespaces)) return {};
  if (!(flags & kCloneNewUser) && !task.Has(vfs::Capability::kSysAdmin)) return Errno::kEPERM;
  return Errno::kEINVAL;  // as a kernel built without them answers
}

// What a clone is made of until it runs. What has been taken for a child that does not come to run
// goes back with it.
struct TaskBuilder::Parts final : VmAddressRegion::ForkClient {
  Parts(Task& its_parent, const CloneRequest& of) : parent(its_parent), request(of) {}
  ~Parts();
  void Adopt(RefPtr<VmAddressRegion> region) override;
  void Announce();

  Task& parent;
  const CloneRequest& request;
  int32_t pid = 0;
  uint64_t broadcasts = 0;  // before this fork
  RefPtr<ThreadGroup> group;
  RefPtr<Task> task;
  RefPtr<VforkGate> gate;
  RefPtr<vfs::FileDescription> pid_file;
  std::optional<ReservedFd> pid_fd;
  bool linked = false;  // others can find the child
  bool runs = false;
};

TaskBuilder::Parts::~Parts() {
  if (runs || pid == 0) return;
  if (linked) {
    Exit::Withdraw(*task);
    return;
  }
  MutexLock lock(Kernel::Get().lock());
  Kernel::Get().pids().Cancel(pid);
}

void TaskBuilder::Parts::Adopt(RefPtr<VmAddressRegion> region) {
  const Limits& limits = group->limits();
  region->SetLimits(limits.soft(Limit::kAddressSpace), limits.soft(Limit::kData));
  task->memory_context_->Adopt(region);
  task->region_ = region;
  static_cast<void>(group->process().ReplaceRegion(std::move(region)));
  Announce();
}

// Nothing can fail any more, but the child does not run yet. What its parent is told is not in a
// memory of its own. Linux ignores a bad address for the number.
void TaskBuilder::Parts::Announce() {
  UserMemory memory = parent.memory();
  if (pid_fd) {
    static_cast<void>(memory.Write(UserPtr<int32_t>(request.pid_fd), pid_fd->fd().value));
    pid_fd->Publish(pid_file, true);
  }
  if (request.flags & kCloneParentSetTid)
    static_cast<void>(memory.Write(UserPtr<int32_t>(request.parent_tid), pid));
  Kernel::Get().forks.fetch_add(1, std::memory_order_relaxed);
  runs = true;
}

SyscallResult CloneTask(Task& parent, const CloneRequest& request) {
  return TaskBuilder::Clone(parent, request);
}

SyscallResult TaskBuilder::Clone(Task& parent, const CloneRequest& request) {
  TRY(CheckFlags(parent, request));
  Parts parts(parent, request);
  TRY(Number(parts));
  TRY(Assemble(parts));
  TRY(Link(parts));
  if (request.flags & kCloneVm) {
    hal::Thread* const machine = TRY(parts.task->Launch(parent.region_->space()));
    parts.Announce();
    parts.task->SetMachineThread(machine);
  } else {
    TRY(parent.region_->Fork(*parts.task, parts));
  }
  const int32_t pid = parts.pid;
  if (parts.gate) WaitForVfork(parent, *parts.gate);
  return uint64_t(pid);
}

Result<void> TaskBuilder::Number(Parts& parts) {
  Task& parent = parts.parent;
  const int32_t wanted = parts.request.wanted_tid;
  MutexLock lock(Kernel::Get().lock());
  // Signals that came before the fork are the parent's alone.
  parts.broadcasts = Kernel::Get().broadcasts();
  if (parent.HasPendingSignal()) return Errno::kRestartNoIntr;
  TRY(CheckProcessLimit(parent));
  if (wanted) TRY(Kernel::Get().pids().AllocateExactly(wanted));
  parts.pid = wanted ? wanted : TRY(Kernel::Get().pids().Allocate());
  return {};
}

Result<void> TaskBuilder::Assemble(Parts& parts) {
  Task& parent = parts.parent;
  const CloneRequest& request = parts.request;
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
    parts.group->timers().WatchCpuLimit(*parts.group);
    parts.group->oom_score_adj.store(from.oom_score_adj.load());
    parts.group->login_user.store(from.login_user.load());
    parts.group->login_session.store(from.login_session.load());
    parts.group->coredump_filter.store(from.coredump_filter.load());
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
  task.default_timer_slack.store(parent.timer_slack.load());
  task.timer_slack.store(parent.timer_slack.load());
  task.io_priority.store(parent.io_priority.load());
  task.personality.store(parent.personality.load());
  task.no_new_privs.store(parent.no_new_privs.load());
  task.keep_caps.store(parent.keep_caps.load());

  if (flags & kClonePidFd) {
    const bool is_thread = flags & kCloneThread;
    const auto mode = vfs::OpenFlags::kReadWrite;
    parts.pid_file =
        is_thread ? TRY(PidFd::Create(parts.group, parts.task, mode | vfs::OpenFlags::kExclusive))
                  : TRY(PidFd::Create(parts.group, nullptr, mode));
    parts.pid_fd.emplace(TRY(ReservedFd::Create(parent)));
    TRY(CheckWritable(parent, request.pid_fd, sizeof(int32_t)));
  }
  return {};
}

// From here on others can see the child.
Result<void> TaskBuilder::Link(Parts& parts) {
  Task& parent = parts.parent;
  const CloneRequest& request = parts.request;
  ThreadGroup& from = parent.group();
  ThreadGroup& group = *parts.group;
  Task& task = *parts.task;
  MutexLock lock(Kernel::Get().lock());
  if ((request.flags & kCloneFs) && task.fs_->is_executing()) return Errno::kEAGAIN;
  if (&group == &from) {
    // Its process ends, or stops: this thread would miss that.
    MutexLock signal_lock(from.signal_lock);
    if (parent.MustExit() || from.stop_signal != 0) return Errno::kRestartNoIntr;
    from.tasks.PushBack(task);
    from.live_tasks++;
  } else {
    // A signal for many processes, this one's child among them, must not miss the child. One for
    // the parent alone can wait: programs that take signals all the time get to fork.
    if (parent.MustExit() ||
        (Kernel::Get().broadcasts() != parts.broadcasts && parent.HasPendingSignal()))
      return Errno::kRestartNoIntr;
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
  task.fs_->AddUser();
  if (task.account) task.account->tasks.fetch_add(1);
  Kernel::Get().threads.fetch_add(1);
  parts.linked = true;
  return {};
}

Result<RefPtr<Task>> TaskBuilder::CreateIdle(RefPtr<ThreadGroup> group, std::string_view name,
                                             RefPtr<vfs::Credentials> credentials) {
  const int32_t pid = group->pid();
  auto task = TRY(MakeRef<Task>(std::move(group)));
  task->tid_.store(pid, std::memory_order_relaxed);
  task->SetName(name);
  task->SetCredentials(std::move(credentials));
  return task;
}

Result<RefPtr<ThreadGroup>> TaskBuilder::StartFirst(First first, RefPtr<Session> session,
                                                    ThreadGroup* reaper) {
  auto process = TRY(Process::Create(Kernel::Get().job(), first.region));
  auto group =
      TRY(ThreadGroup::Create(first.pid, std::move(process), TRY(SignalActions::Create())));
  auto task = TRY(MakeRef<Task>(group));
  task->tid_.store(first.pid, std::memory_order_relaxed);
  task->fds_ = std::move(first.fds);
  task->fs_ = std::move(first.fs);
  task->memory_context_ = TRY(MemoryContext::Create(first.region));
  task->region_ = first.region;
  task->account = TRY(UserAccount::Of(first.credentials->uid));
  const uint32_t uid = first.credentials->uid;
  task->SetCredentials(std::move(first.credentials));
  task->exec_plan_ = std::move(first.plan);
  {
    MutexLock lock(Kernel::Get().lock());
    auto process_group = TRY(MakeRef<ProcessGroup>(first.pid, session));
    TRY(Kernel::Get().pids().AllocateExactly(first.pid));
    // pid 1 is out of reach of others' default actions, be it the program or not.
    if (!reaper) group->unkillable.store(true);
    Kernel::Get().init_ = reaper ? reaper : group.get();
    Kernel::Get().main_ = group.get();
    group->parent = first.parent;
    group->real_uid = uid;
    group->process_group = std::move(process_group);
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
  task->memory_context_->users.store(1);
  task->fs_->AddUser();
  task->account->tasks.fetch_add(1);
  Kernel::Get().threads.fetch_add(1);
  if (auto started = task->Thread::Start(first.region->space()); !started.ok()) {
    Exit::Withdraw(*task);
    MutexLock lock(Kernel::Get().lock());
    Kernel::Get().init_ = reaper;
    Kernel::Get().main_ = nullptr;
    return started.error();
  }
  return group;
}

}  // namespace zrun::compat
