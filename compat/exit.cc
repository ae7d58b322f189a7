#include "compat/exit.h"

#include "compat/futex.h"
#include "compat/pidfd.h"
#include "compat/posix_timers.h"
#include "compat/signal_send.h"
#include "compat/sysv_ipc.h"
#include "hal/devices.h"
#include "vfs/block_device.h"
#include "vfs/tty/console.h"
#include "vfs/tty/job_control.h"

namespace zrun::compat {

using namespace abi;

namespace {

constexpr hal::Nanoseconds kTick = hal::kSecond / 100;  // USER_HZ

SigInfo ChildInfo(ThreadGroup& child, int signo, int32_t code, int32_t status, const Usage& usage) {
  SigInfo info = SigInfo::Make(signo, code);
  info.SetSender(child.pid(), child.real_uid);
  info.SetStatus(status);
  info.SetChildTimes(usage.user / kTick, usage.system / kTick);
  return info;
}

// SIGCHLD, or what clone() asked for, and wait4. True if nobody will ever wait for |child|.
bool NotifyParentOfExit(ThreadGroup& child) REQUIRES(Kernel::Get().lock()) {
  ThreadGroup* parent = child.parent;
  if (!parent) return true;
  if (parent->reaps_by_itself) return true;
  bool forgotten = false;
  bool send = child.exit_signal != 0;
  if (child.exit_signal == kSigChld) {
    const SignalAction action = parent->actions->Get(kSigChld);
    if (action.handler == kSigIgn) {
      forgotten = true;
      send = false;
    } else if (action.flags & kSaNoCldWait) {
      forgotten = true;
    }
  }
  if (send) {
    const int status = child.exit_status;
    const int32_t code =
        (status & 0x7f) == 0 ? kCldExited : (status & 0x80 ? kCldDumped : kCldKilled);
    const int32_t value = (status & 0x7f) == 0 ? status >> 8 : status & 0x7f;
    static_cast<void>(
        SendToGroup(*parent, ChildInfo(child, child.exit_signal, code, value, child.final_usage)));
  }
  parent->child_waiters.WakeAll();
  return forgotten;
}

void NotifyParentOfStop(ThreadGroup& child, int32_t code, int32_t status)
    REQUIRES(Kernel::Get().lock()) {
  ThreadGroup* parent = child.parent;
  if (!parent) return;
  const SignalAction action = parent->actions->Get(kSigChld);
  if (action.handler != kSigIgn && !(action.flags & kSaNoCldStop))
    static_cast<void>(
        SendToGroup(*parent, ChildInfo(child, kSigChld, code, status, child.usage())));
  parent->child_waiters.WakeAll();
}

bool HasStoppedMember(ProcessGroup& group) REQUIRES(Kernel::Get().lock()) {
  for (ThreadGroup& member : group.members) {
    MutexLock lock(member.signal_lock);
    if (member.is_stopped) return true;
  }
  return false;
}

// POSIX: members of a process group that becomes orphaned while one of them is stopped get SIGHUP
// and SIGCONT. |child| is one whose parent was, or is, the process that ends.
void CheckOrphaned(ThreadGroup& child, ThreadGroup* parent, const ThreadGroup* leaving)
    REQUIRES(Kernel::Get().lock()) {
  ProcessGroup& group = *child.process_group;
  if (!parent || !parent->process_group || parent->process_group.get() == &group ||
      parent->process_group->session != group.session)
    return;
  if (!IsOrphaned(group, leaving) || !HasStoppedMember(group)) return;
  SendToProcessGroup(group, SigInfo::Make(kSigHup, kSiKernel));
  SendToProcessGroup(group, SigInfo::Make(kSigCont, kSiKernel));
}

void SendParentDeathSignals(ThreadGroup& child, int32_t sender_pid, uint32_t uid)
    REQUIRES(Kernel::Get().lock()) {
  MutexLock lock(child.signal_lock);
  for (Task& task : child.tasks) {
    const int signo = task.parent_death_signal.load();
    if (!signo) continue;
    SigInfo info = SigInfo::Make(signo, kSiUser);
    info.SetSender(sender_pid, uid);
    static_cast<void>(SendLocked(child, nullptr, info));
  }
}

ThreadGroup* FindReaper(ThreadGroup& dead) REQUIRES(Kernel::Get().lock()) {
  ThreadGroup* init = Kernel::Get().init();
  for (ThreadGroup* group = dead.parent; group && group != init; group = group->parent)
    if (group->subreaper && !group->is_zombie && group->thread_count() > 0) return group;
  return init;
}

void GiveChildrenAway(ThreadGroup& dead, int32_t uid) REQUIRES(Kernel::Get().lock()) {
  ThreadGroup* reaper = FindReaper(dead);
  while (ThreadGroup* child = dead.children.PopFront()) {
    SendParentDeathSignals(*child, dead.pid(), uint32_t(uid));
    const bool had_parent = reaper && reaper != &dead;
    child->parent = had_parent ? reaper : nullptr;
    child->parent_tid = had_parent ? reaper->pid() : 0;
    child->exit_signal = kSigChld;
    if (had_parent) reaper->children.PushBack(*child);
    if (child->is_zombie) {
      if (NotifyParentOfExit(*child)) Exit::Forget(*child);
      continue;
    }
    CheckOrphaned(*child, &dead, nullptr);
  }
}

// The container's process is gone: so is the container.
[[noreturn]] void EndContainer(int status) {
  const hal::Deadline patience{hal::MonotonicNow() + 10 * hal::kSecond};
  for (;;) {
    bool alive = false;
    {
      MutexLock lock(Kernel::Get().lock());
      KillAll(nullptr);
      PidTable& pids = Kernel::Get().pids();
      for (int32_t pid = pids.NextGroup(1); pid >= 0 && !alive; pid = pids.NextGroup(pid + 1))
        alive = pids.FindGroup(pid)->thread_count() > 0;
    }
    const hal::Nanoseconds now = hal::MonotonicNow();
    if (!alive || now >= patience.at) break;
    hal::Park({now + hal::kSecond / 1000}, hal::Interruptible::kNo);
  }
  vfs::SyncDisks();
  vfs::FlushConsole({hal::MonotonicNow() + 10 * hal::kSecond});
  hal::Halt((status & 0x7f) ? 128 + (status & 0x7f) : (status >> 8) & 0xff);
}

}  // namespace

// No signal is the task's any more, and no stop waits for it. True if it is the last.
bool Exit::LeaveSignals(Task& task) {
  ThreadGroup& group = task.group();
  MutexLock lock(group.signal_lock);
  task.signals_.mask = SignalSet(~uint64_t{0});
  const bool last = --group.live_tasks == 0;
  if (!group.exiting && (group.leader == &task || last)) group.group_status = task.exit_status_;
  if ((task.attention_.load() & Task::kAttendStop) && group.stop_signal != 0 &&
      --group.stopping_tasks == 0 && !last) {
    group.is_stopped = true;
    group.stop_reportable = true;
    group.announce_stop = true;
    if (Task* other = group.tasks.front()) other->Demand(Task::kAttendSignal);
  }
  if (!last) {
    // What only this thread would have taken is for the others now.
    for (Task& other : group.tasks)
      if (&other != &task && !group.shared_queue.pending().empty())
        other.Demand(Task::kAttendSignal);
  }
  return last;
}

// What it holds and counts for.
void Exit::LetGo(Task& task) {
  ReleasePiWaiters(task, true);
  task.robust_list = 0;
  task.io_priority = 0;
  ReleaseMemory(task);
  task.ReplaceFds(nullptr);
  task.ReplaceFs(nullptr);
  if (task.account) task.account->tasks.fetch_sub(1);
  Kernel::Get().threads.fetch_sub(1);
}

void Exit::Run(Task& task) {
  ThreadGroup& group = task.group();
  if (LeaveSignals(task)) {
    group.timers().DeleteAll();
    if (group.undoes_semaphores.load()) UndoSemaphores(group);
  }
  ReleaseUserLocks(task);
  LetGo(task);
  bool leads_session, ends_container;
  int status;
  {
    MutexLock lock(Kernel::Get().lock());
    if (!LeaveGroup(task)) return;
    leads_session = group.session().id == group.pid();
    ends_container = Kernel::Get().main() == &group;
    MutexLock signal_lock(group.signal_lock);
    status = group.group_status;
  }
  // Nothing of the process runs any more, but nobody has been told.
  if (leads_session) vfs::LeaveSessionTerminal(group.pid());
  group.process().Terminate(status);
  {
    MutexLock lock(Kernel::Get().lock());
    group.exit_status = status;
    EndProcess(task);
  }
  if (ends_container) EndContainer(status);
}

void Exit::Withdraw(Task& task) {
  ThreadGroup& group = task.group();
  LeaveSignals(task);
  LetGo(task);
  {
    MutexLock lock(Kernel::Get().lock());
    if (!LeaveGroup(task)) return;
  }
  group.process().Terminate(0);
  MutexLock lock(Kernel::Get().lock());
  if (group.parent) group.parent->child_waiters.WakeAll();
  Forget(group);
}

// True if it was the last.
bool Exit::LeaveGroup(Task& task) {
  ThreadGroup& group = task.group();
  const uint32_t uid = task.credentials()->uid;
  for (ThreadGroup& child : group.children) {
    if (child.parent_tid != task.tid()) continue;
    child.parent_tid = group.pid();
    SendParentDeathSignals(child, group.pid(), uid);
  }
  const bool is_first = task.tid() == group.pid();
  if (is_first) {
    group.remains = RefPtr<Task>(&task);
  } else {
    Kernel::Get().pids().SetTask(task.tid(), nullptr);
  }
  bool is_last;
  {
    MutexLock lock(group.signal_lock);
    group.dead_usage.Add(task.usage());
    group.tasks.Remove(task);
    if (group.leader == &task) group.leader = nullptr;
    task.signals_.queue.Clear();
    is_last = group.tasks.empty();
    // One that executes a program becomes the first thread itself: nobody is told of an end.
    if (group.exec_task && group.exec_task != &task) {
      group.exec_task->Kick();
      if (is_first) return is_last;
    }
  }
  if (is_first) {
    NotifyPidFds(group, ThreadGroup::EndStage::kLeaderEnded);
  } else {
    NotifyPidFds(task);
  }
  return is_last;
}

void Exit::EndProcess(Task& task) {
  ThreadGroup& group = task.group();
  const uint32_t uid = task.credentials()->uid;
  group.real_uid = uid;
  {
    MutexLock lock(group.signal_lock);
    group.shared_queue.Clear();
    group.final_usage = group.dead_usage;
  }
  GiveChildrenAway(group, int32_t(uid));
  group.is_zombie = true;
  CheckOrphaned(group, group.parent, &group);
  NotifyPidFds(group, ThreadGroup::EndStage::kEnded);
  // The use of those whom nobody waits for counts nowhere.
  if (NotifyParentOfExit(group)) Forget(group);
}

void Exit::Forget(ThreadGroup& group) {
  if (group.parent) group.parent->children.Remove(group);
  group.parent = nullptr;
  static_cast<ListNode<GroupMemberTag>&>(group).Unlink();
  group.process_group = nullptr;
  NotifyPidFds(group, ThreadGroup::EndStage::kForgotten);
  if (const RefPtr<Task> remains = std::move(group.remains))
    Kernel::Get().pids().SetTask(group.pid(), nullptr);
  if (Kernel::Get().pids().FindGroup(group.pid()) == &group) {
    Kernel::Get().pids().SetGroup(group.pid(), nullptr);
    group.Release();
  }
}

void Exit::ReleaseMemory(Task& task) {
  RefPtr<MemoryContext> context;
  {
    MutexLock lock(task.lock_);
    context = std::move(task.memory_context_);
    task.memory_context_ = nullptr;
  }
  if (!context) return;
  context->RemoveUser();
  context = nullptr;
  // The process's own reference goes with Process::Terminate or ReplaceRegion.
  task.region_ = nullptr;
  if (auto gate = std::move(task.vfork_gate_)) gate->Open();
}

void WaitForVfork(Task& parent, VforkGate& gate) {
  parent.waits_for_vfork.store(true, std::memory_order_relaxed);
  // Only the end of the parent itself cuts it short.
  while (!gate.done.load(std::memory_order_acquire) && !parent.MustExit()) {
    if (hal::Park(hal::Deadline::Never(), hal::Interruptible::kYes) == hal::ParkOutcome::kKicked)
      parent.AnswerKick();
  }
  parent.waits_for_vfork.store(false, std::memory_order_relaxed);
  MutexLock lock(gate.lock);
  gate.waiter_left = true;
}

bool IsOrphaned(ProcessGroup& group, const ThreadGroup* leaving) {
  for (ThreadGroup& member : group.members) {
    if (&member == leaving || member.is_zombie) continue;
    ThreadGroup* parent = member.parent;
    // A container's first process counts as a parent; the kernel's own reaper does not.
    if (!parent || parent->reaps_by_itself || !parent->process_group) continue;
    if (parent->process_group.get() != &group && parent->process_group->session == group.session)
      return false;
  }
  return true;
}

void AnnounceStopped(ThreadGroup& group) {
  MutexLock lock(Kernel::Get().lock());
  int signo;
  {
    MutexLock signal_lock(group.signal_lock);
    if (!group.is_stopped) return;
    signo = group.stop_signal;
  }
  NotifyParentOfStop(group, kCldStopped, signo);
}

void AnnounceStopAndContinue(ThreadGroup& group) {
  MutexLock lock(Kernel::Get().lock());
  bool stopped, continued;
  int signo;
  {
    MutexLock signal_lock(group.signal_lock);
    stopped = std::exchange(group.announce_stop, false);
    continued = std::exchange(group.announce_continue, false);
    signo = group.stop_signal ? group.stop_signal : kSigStop;
  }
  if (continued) {
    NotifyParentOfStop(group, kCldContinued, kSigCont);
  } else if (stopped) {
    NotifyParentOfStop(group, kCldStopped, signo);
  }
}

void KillAll(ThreadGroup* survivor) {
  PidTable& pids = Kernel::Get().pids();
  for (int32_t pid = pids.NextGroup(1); pid >= 0; pid = pids.NextGroup(pid + 1)) {
    ThreadGroup* group = pids.FindGroup(pid);
    if (group == survivor) continue;
    MutexLock lock(group->signal_lock);
    if (group->live_tasks > 0) BeginGroupExit(*group, kSigKill);
  }
}

}  // namespace zrun::compat
