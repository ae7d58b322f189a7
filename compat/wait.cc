#include "compat/wait.h"

#include "compat/exit.h"

namespace zrun::compat {

using namespace abi;

namespace {

bool Matches(Task& task, ThreadGroup& child, const WaitRequest& request)
    REQUIRES(Kernel::Get().lock()) {
  switch (request.who) {
    case WaitRequest::Who::kAny:
      break;
    case WaitRequest::Who::kProcess:
      if (child.pid() != request.id) return false;
      break;
    case WaitRequest::Who::kGroup:
      if (!child.process_group || child.process_group->id != request.id) return false;
      break;
    case WaitRequest::Who::kPidFd:
      if (&child != request.target) return false;
      break;
  }
  // One that has ended will neither stop nor go on.
  if (child.is_zombie && !(request.options & kWaitExited)) return false;
  if ((request.options & kWaitNoThread) && child.parent_tid != task.tid()) return false;
  // "Clone children" tell their parent by another signal than SIGCHLD, or by none.
  const bool is_clone = child.exit_signal != kSigChld;
  return (request.options & kWaitAnyKind) || is_clone == bool(request.options & kWaitClone);
}

// What |child| has to report, taken from it unless WNOWAIT.
bool Collect(ThreadGroup& child, const WaitRequest& request, WaitOutcome& out)
    REQUIRES(Kernel::Get().lock()) {
  const bool keep = request.options & kWaitNoWait;
  if (child.is_zombie) {
    const int status = child.exit_status;
    out = {child.pid(), child.real_uid, status,
           (status & 0x7f) == 0 ? kCldExited : (status & 0x80 ? kCldDumped : kCldKilled),
           child.final_usage};
    out.usage.Add(child.children_usage);
    if (!keep) {
      child.parent->children_usage.Add(out.usage);
      Exit::Forget(child);
    }
    return true;
  }
  MutexLock lock(child.signal_lock);
  if ((request.options & kWaitStopped) && child.is_stopped && child.stop_reportable) {
    if (!keep) child.stop_reportable = false;
    out = {child.pid(), child.real_uid, child.stop_signal << 8 | 0x7f, kCldStopped, {}};
    return true;
  }
  if ((request.options & kWaitContinued) && child.continue_reportable) {
    if (!keep) child.continue_reportable = false;
    out = {child.pid(), child.real_uid, 0xffff, kCldContinued, {}};
    return true;
  }
  return false;
}

// Whether there is anything to wait for at all.
bool Look(Task& task, const WaitRequest& request, WaitOutcome& out) REQUIRES(Kernel::Get().lock()) {
  ThreadGroup& parent = task.group();
  if (request.who == WaitRequest::Who::kProcess) {
    ThreadGroup* child = Kernel::Get().pids().FindGroup(request.id);
    if (!child || child->parent != &parent || !Matches(task, *child, request)) return false;
    Collect(*child, request, out);
    return true;
  }
  bool any = false;
  for (ThreadGroup& child : parent.children) {
    if (!Matches(task, child, request)) continue;
    any = true;
    if (Collect(child, request, out)) return true;
  }
  return any;
}

}  // namespace

Result<WaitOutcome> WaitForChild(Task& task, const WaitRequest& request) {
  ThreadGroup& parent = task.group();
  WaitOutcome out;
  WaitQueue::Waiter waiter;
  for (;;) {
    {
      MutexLock lock(Kernel::Get().lock());
      parent.child_waiters.Remove(waiter);
      if (!Look(task, request, out)) return Errno::kECHILD;
      if (out.pid || (request.options & kWaitNoHang)) return out;
      parent.child_waiters.Add(waiter);
    }
    if (task.ParkFor(hal::Deadline::Never()) == Task::Pause::kInterrupted) {
      MutexLock lock(Kernel::Get().lock());
      parent.child_waiters.Remove(waiter);
      // Something may have come with the signal (SIGCHLD): it has the word.
      if (Look(task, request, out) && out.pid) return out;
      return Errno::kRestartSys;
    }
  }
}

}  // namespace zrun::compat
