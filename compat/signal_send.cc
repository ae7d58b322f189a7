#include "compat/signal_send.h"

#include "compat/posix_timers.h"

namespace zrun::compat {

using namespace abi;

namespace {

// Signals that pass on their way to the queue change the stop state (signal(7)), whether they are
// blocked, ignored or caught.
void DiscardEverywhere(ThreadGroup& group, SignalSet signals) REQUIRES(group.signal_lock) {
  group.shared_queue.Discard(signals);
  for (Task& task : group.tasks) task.signal_state().queue.Discard(signals);
}

void ContinueGroup(ThreadGroup& group) REQUIRES(group.signal_lock) {
  DiscardEverywhere(group, kStopSignals);
  group.continue_count++;
  if (group.stop_signal == 0) return;
  if (group.is_stopped) {
    group.announce_continue = true;
  } else {
    group.announce_stop = true;
  }
  group.continue_reportable = true;
  group.stop_reportable = false;
  group.is_stopped = false;
  group.stop_signal = 0;
  group.stopping_tasks = 0;
  // Whoever runs first tells the parent.
  for (Task& task : group.tasks) task.ResumeFromStop();
}

bool Wants(ThreadGroup& group, Task& task, int signo) REQUIRES(group.signal_lock) {
  if (task.signal_state().mask.Has(signo) || task.MustExit()) return false;
  if (signo == kSigKill) return true;
  return !group.is_stopped;
}

// Discarded on the spot: what is ignored and not blocked (a blocked one may be caught later).
bool IsIgnored(ThreadGroup& group, Task* target, const SigInfo& info, Force force)
    REQUIRES(group.signal_lock) {
  Task* judge = target ? target : (group.leader ? group.leader : group.tasks.front());
  if (!judge) return true;
  const TaskSignals& state = judge->signal_state();
  if (state.mask.Has(info.signo) || state.real_mask.Has(info.signo)) return false;
  const SignalAction action = group.actions->Get(info.signo);
  if (force == Force::kNo && action.handler == kSigDfl && IsOutOfReach(group, info)) return true;
  return action.Ignores(info.signo);
}

Result<void> Enqueue(ThreadGroup& group, Task* target, const SigInfo& info,
                     RefPtr<PosixTimer> timer) REQUIRES(group.signal_lock) {
  SignalQueue& queue = target ? target->signal_state().queue : group.shared_queue;
  // A timer's own entry goes beside what is pending: its overruns are counted by it.
  if (!timer && !queue.CanAdd(info.signo)) return {};
  Task* charged = target ? target : group.tasks.front();
  RefPtr<UserAccount> account = charged ? charged->account : nullptr;
  bool within = true;
  if (account) {
    const uint64_t limit = group.limits().soft(Limit::kPendingSignals);
    const uint64_t before = account->pending_signals.fetch_add(1, std::memory_order_relaxed);
    // Standard signals of the kernel and of kill(2) always fit.
    within = before < limit || (info.signo < kSigRtMin && info.code >= 0);
    if (!within) account->pending_signals.fetch_sub(1, std::memory_order_relaxed);
  }
  OwnPtr<QueuedSignal> queued(within ? new (std::nothrow) QueuedSignal : nullptr);
  if (!queued) {
    if (within && account) account->pending_signals.fetch_sub(1, std::memory_order_relaxed);
    if (timer) return Errno::kEAGAIN;
    if (info.signo >= kSigRtMin && info.code != kSiUser && info.code != kSiKernel)
      return Errno::kEAGAIN;
    queue.AddBare(info.signo);
    return {};
  }
  queued->info = info;
  queued->account = std::move(account);
  queued->timer = std::move(timer);
  queue.Add(std::move(queued));
  return {};
}

}  // namespace

// pid 1 is out of reach of other processes' default actions (pid_namespaces(7)). What it does to
// itself counts, so that a program run alone in a container ends as it would outside; so does what
// the launcher sends, which has no sender's number.
bool IsOutOfReach(ThreadGroup& group, const SigInfo& info) {
  if (!group.unkillable.load()) return false;
  const bool from_process = info.code == kSiUser || info.code == kSiTkill || info.code == kSiQueue;
  const bool from_other = from_process && info.pid() != group.pid() && info.pid() != 0;
  return from_other || kStopSignals.Has(info.signo);
}

Result<void> SendLocked(ThreadGroup& group, Task* target, const SigInfo& info, Force force,
                        RefPtr<PosixTimer> timer) {
  return SendLocked(group, target, group.leader, info, force, std::move(timer));
}

Result<void> SendLocked(ThreadGroup& group, Task* target, Task* first, const SigInfo& info,
                        Force force, RefPtr<PosixTimer> timer) {
  const int signo = info.signo;
  if (group.live_tasks == 0 || group.exiting) return {};
  if (kStopSignals.Has(signo)) {
    DiscardEverywhere(group, SignalSet::Of(kSigCont));
  } else if (signo == kSigCont) {
    ContinueGroup(group);
  }
  if (IsIgnored(group, target, info, force)) return {};
  if (signo == kSigKill) {
    BeginGroupExit(group, kSigKill);
    return {};
  }
  TRY(Enqueue(group, target, info, std::move(timer)));
  for (SignalWatcher& watcher : group.signal_watchers) watcher.OnSignalSent(signo);

  Task* taker = nullptr;
  if (target) {
    if (Wants(group, *target, signo)) taker = target;
  } else {
    if (first && Wants(group, *first, signo)) taker = first;
    if (!taker) {
      for (Task& task : group.tasks) {
        if (!Wants(group, task, signo)) continue;
        taker = &task;
        break;
      }
    }
  }
  if (!taker) return {};
  // What surely ends the process does so at once, whatever its threads are at.
  const SignalAction action = group.actions->Get(signo);
  if (action.handler == kSigDfl && DefaultActionOf(signo) == DefaultAction::kTerminate &&
      !taker->signal_state().real_mask.Has(signo)) {
    BeginGroupExit(group, signo);
    return {};
  }
  taker->Demand(Task::kAttendSignal);
  return {};
}

Result<void> SendToGroup(ThreadGroup& group, const SigInfo& info, Force force) {
  MutexLock lock(group.signal_lock);
  return SendLocked(group, nullptr, info, force);
}

Result<void> SendToTask(Task& task, const SigInfo& info, Force force) {
  ThreadGroup& group = task.group();
  MutexLock lock(group.signal_lock);
  return SendLocked(group, &task, info, force);
}

void SendToProcessGroup(ProcessGroup& group, const SigInfo& info) {
  Kernel::Get().CountBroadcast();
  for (ThreadGroup& member : group.members) static_cast<void>(SendToGroup(member, info));
}

SigInfo InfoFrom(Task& sender, int signo, int32_t code) {
  SigInfo info = SigInfo::Make(signo, code);
  info.SetSender(sender.group().pid(), sender.credentials()->uid);
  return info;
}

Result<void> CheckMaySignal(Task& sender, ThreadGroup& target, int signo) {
  if (&sender.group() == &target) return {};
  auto mine = sender.credentials();
  uint32_t uid = target.real_uid, suid = target.real_uid;
  auto task = target.AnyTask();
  if (!task) task = target.remains;
  if (task) {
    auto theirs = task->credentials();
    uid = theirs->uid;
    suid = theirs->suid;
  }
  if (mine->euid == suid || mine->euid == uid || mine->uid == suid || mine->uid == uid) return {};
  if (mine->Has(vfs::Capability::kKill)) return {};
  if (signo == kSigCont && target.process_group && sender.group().process_group &&
      &target.session() == &sender.group().session())
    return {};
  return Errno::kEPERM;
}

}  // namespace zrun::compat
