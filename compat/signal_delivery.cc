#include "compat/abi/arch.h"
#include "compat/exit.h"
#include "compat/posix_timers.h"
#include "compat/signal_frame.h"
#include "compat/signal_send.h"

namespace zrun::compat {

using namespace abi;

namespace {

bool IsInOrphanedGroup(ThreadGroup& group) {
  MutexLock lock(Kernel::Get().lock());
  return IsOrphaned(*group.process_group, nullptr);
}

}  // namespace

// Takes one step of what |attention_| is about; the caller looks again.
void Task::DeliverSignals() {
  ThreadGroup& group = *group_;
  SigInfo info;
  RefPtr<PosixTimer> timer;
  int signo = 0;
  uint32_t continues = 0;
  {
    MutexLock lock(group_->signal_lock);
    if (MustExit()) return;
    if (!group_->announce_stop && !group_->announce_continue) {
      if (attention_.load(std::memory_order_relaxed) & kAttendStop) {
        StopHere();
        return;
      }
      signo = TakeSignal(~signals_.mask, info, timer);
      continues = group_->continue_count;
      RecomputePending();
      if (!signo) return;
    }
  }
  if (!signo) {
    AnnounceStopAndContinue(group);
    MutexLock lock(group_->signal_lock);
    RecomputePending();
    return;
  }
  if (timer) timer->OnDelivered(info);

  const SignalAction action = group.actions->Get(signo);
  if (action.handler == kSigIgn) return;
  if (action.handler != kSigDfl) {
    if (action.flags & kSaResetHand) {
      SignalAction reset = action;
      reset.handler = kSigDfl;
      group.actions->Set(signo, reset);
    }
    RestartBeforeHandler(action.flags);
    if (EnterHandler(signo, info, action)) return;
    // No room for the frame.
    if (signo == kSigSegv) {
      EndByDefault(signo);
    } else {
      ForceSignal(SigInfo::Make(kSigSegv, kSiKernel));
    }
    return;
  }
  if (IsOutOfReach(group, info)) return;
  switch (DefaultActionOf(signo)) {
    case DefaultAction::kIgnore:
    case DefaultAction::kContinue:
      return;
    case DefaultAction::kStop: {
      // Nobody could continue an orphaned group.
      if (signo != kSigStop && IsInOrphanedGroup(group)) return;
      MutexLock lock(group_->signal_lock);
      // A SIGCONT since the signal was taken has called it off.
      if (group_->continue_count == continues) StopByDefault(signo);
      return;
    }
    case DefaultAction::kTerminate:
    case DefaultAction::kCore:
      EndByDefault(signo);
      return;
  }
}

void Task::RestartBeforeHandler(uint64_t flags) {
  const Errno error = std::exchange(restart_error_, Errno{});
  const bool restart =
      error == Errno::kRestartNoIntr || (error == Errno::kRestartSys && (flags & kSaRestart));
  // Otherwise EINTR stands in the return value already.
  if (restart) registers().RestartSyscall(uint64_t(syscall_number));
}

bool Task::EnterHandler(int signo, const SigInfo& info, const SignalAction& action) {
  const SignalSet returned_mask = signals_.restore_mask ? signals_.saved_mask : signals_.mask;
  if (!PushSignalFrame(*this, signo, info, action, returned_mask).ok()) return false;
  signals_.restore_mask = false;
  if (signals_.alternate_stack.flags & kSsAutoDisarm)
    signals_.alternate_stack = {0, kSsDisable, 0, 0};
  SignalSet mask = signals_.mask | action.mask;
  if (!(action.flags & kSaNoDefer)) mask.Add(signo);
  SetMask(mask);
  if (registers().pc() >= kUserTop) ForceSignal(SigInfo::Make(kSigSegv, kSiKernel));
  return true;
}

void Task::EndByDefault(int signo) {
  int status = signo;
  if (DefaultActionOf(signo) == DefaultAction::kCore &&
      group_->limits().soft(Limit::kCore) >= hal::kPageSize &&
      memory_context_->dumpable.load() == 1)
    status |= 0x80;
  MutexLock lock(group_->signal_lock);
  BeginGroupExit(*group_, status);
}

// ---- Job control
void Task::StopByDefault(int signo) REQUIRES(group_->signal_lock) {
  if (group_->exiting || group_->stop_signal != 0) return;
  group_->stop_signal = signo;
  group_->stopping_tasks = group_->live_tasks;
  for (Task& task : group_->tasks) task.Demand(kAttendStop);
}

// Stops until SIGCONT or the end. Drops and retakes the lock.
void Task::StopHere() {
  ThreadGroup& group = *group_;
  attention_.fetch_and(~kAttendStop, std::memory_order_acq_rel);
  if (group_->stop_signal == 0) return;
  if (--group_->stopping_tasks == 0) {
    group_->is_stopped = true;
    group_->stop_reportable = true;
    group_->signal_lock.Unlock();
    AnnounceStopped(group);
    group_->signal_lock.Lock();
  }
  while (group_->stop_signal != 0 && !MustExit()) {
    group_->signal_lock.Unlock();
    hal::Park(hal::Deadline::Never(), hal::Interruptible::kYes);
    AnswerKick();
    group_->signal_lock.Lock();
  }
  RecomputePending();
}

}  // namespace zrun::compat
