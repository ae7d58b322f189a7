// Signals: sending, masks, handlers, waiting for them.
#include "compat/abi/process.h"
#include "compat/posix_timers.h"
#include "compat/signal_frame.h"
#include "compat/signal_send.h"
#include "compat/syscall_table.h"
#include "compat/time_argument.h"

namespace zrun::compat {

using namespace abi;

namespace {

constexpr uint64_t kMaskSize = sizeof(uint64_t);

// Flags that Linux keeps; others are cleared, so that programs can ask what is known
// (sigaction(2), SA_UNSUPPORTED).
constexpr uint64_t kKnownFlags = kSaNoCldStop | kSaNoCldWait | kSaSigInfo | kSaExposeTagBits |
                                 kSaOnStack | kSaRestart | kSaNoDefer | kSaResetHand | kSaRestorer;

abi::Sigaction ToAbi(const SignalAction& action) {
  abi::Sigaction out{};
  out.handler = action.handler;
  out.flags = action.flags;
  out.mask = action.mask.bits();
  SetRestorer(out, action.restorer);
  return out;
}

SignalAction FromAbi(const abi::Sigaction& in) {
  SignalAction action;
  action.handler = in.handler;
  action.flags = in.flags & kKnownFlags;
  action.restorer = RestorerOf(in);
  action.mask = SignalSet(in.mask) & ~kUnblockable;
  return action;
}

}  // namespace

SyscallResult sys_rt_sigaction(Task& task, Signal number, UserPtr<const abi::Sigaction> action,
                               UserPtr<abi::Sigaction> old, uint64_t size) {
  if (size != kMaskSize) return Errno::kEINVAL;
  const int signo = int(number);
  UserMemory memory = task.memory();
  std::optional<SignalAction> wanted;
  if (action) wanted = FromAbi(TRY(memory.Read(action)));
  if (!IsValidSignal(signo) || (wanted && kUnblockable.Has(signo))) return Errno::kEINVAL;
  ThreadGroup& group = task.group();
  SignalAction before;
  {
    MutexLock lock(group.signal_lock);
    before = wanted ? group.actions->Set(signo, *wanted) : group.actions->Get(signo);
    // What is ignored from now on is not pending any more (POSIX 3.3.1.3).
    if (wanted && wanted->Ignores(signo)) {
      const SignalSet set = SignalSet::Of(signo);
      group.shared_queue.Discard(set);
      for (Task& other : group.tasks) other.signal_state().queue.Discard(set);
    }
  }
  if (old) TRY(memory.Write(old, ToAbi(before)));
  return 0;
}

SyscallResult sys_rt_sigprocmask(Task& task, MaskChange how, UserPtr<const uint64_t> set,
                                 UserPtr<uint64_t> old, uint64_t size) {
  if (size != kMaskSize) return Errno::kEINVAL;
  UserMemory memory = task.memory();
  const SignalSet before = task.signal_state().mask;
  if (set) {
    const SignalSet given(TRY(memory.Read(set)));
    switch (how) {
      case MaskChange::kBlock:
        task.SetMask(before | given);
        break;
      case MaskChange::kUnblock:
        task.SetMask(before & ~given);
        break;
      case MaskChange::kSetMask:
        task.SetMask(given);
        break;
      default:
        return Errno::kEINVAL;
    }
  }
  if (old) TRY(memory.Write(old, before.bits()));
  return 0;
}

SyscallResult sys_rt_sigpending(Task& task, UserPtr<uint64_t> set, uint64_t size) {
  if (size > kMaskSize) return Errno::kEINVAL;
  ThreadGroup& group = task.group();
  SignalSet pending;
  {
    MutexLock lock(group.signal_lock);
    pending = (task.signal_state().queue.pending() | group.shared_queue.pending()) &
              task.signal_state().mask;
  }
  const uint64_t bits = pending.bits();
  TRY(task.memory().WriteAll(set.as<std::byte>(), std::as_bytes(std::span(&bits, 1)).first(size)));
  return 0;
}

SyscallResult sys_rt_sigreturn(Task& task) {
  task.ForgetSyscall();
  auto popped = PopSignalFrame(task);
  if (!popped.ok()) {
    task.ForceSignal(SigInfo::Make(kSigSegv, kSiKernel));
    return 0;
  }
  const ReturnedFrame frame = popped.value();
  task.SetMask(frame.mask);
  // As sigaltstack(2), whose errors nobody is there to see.
  static_cast<void>(SetAlternateStack(task, frame.alternate_stack, task.registers().sp()));
  if (task.registers().pc() >= kUserTop) task.ForceSignal(SigInfo::Make(kSigSegv, kSiKernel));
  return task.registers().return_value();
}

SyscallResult sys_sigaltstack(Task& task, UserPtr<const StackT> stack, UserPtr<StackT> old) {
  UserMemory memory = task.memory();
  const uint64_t sp = task.registers().sp();
  std::optional<StackT> wanted;
  if (stack) wanted = TRY(memory.Read(stack));
  const StackT before = ReportAlternateStack(task, sp);
  if (wanted) TRY(SetAlternateStack(task, *wanted, sp));
  if (old) TRY(memory.Write(old, before));
  return 0;
}

// ---- Sending
namespace {

// kill(2)'s four kinds of target.
SyscallResult KillMany(Task& task, int32_t pid, const SigInfo& info, int signo)
    REQUIRES(Kernel::Get().lock()) {
  PidTable& pids = Kernel::Get().pids();
  Kernel::Get().CountBroadcast();
  bool any = false, sent = false;
  Errno error = Errno::kESRCH;
  auto try_one = [&](ThreadGroup& group) REQUIRES(Kernel::Get().lock()) {
    any = true;
    if (auto allowed = CheckMaySignal(task, group, signo); !allowed.ok()) {
      error = allowed.error();
      return;
    }
    sent = true;
    if (signo) static_cast<void>(SendToGroup(group, info));
  };
  if (pid == -1) {
    for (int32_t id = pids.NextGroup(2); id >= 0; id = pids.NextGroup(id + 1)) {
      ThreadGroup* group = pids.FindGroup(id);
      if (group != &task.group()) try_one(*group);
    }
  } else {
    ProcessGroup* group = pid == 0 ? task.group().process_group.get() : pids.FindProcessGroup(-pid);
    if (group)
      for (ThreadGroup& member : group->members) try_one(member);
  }
  if (sent) return 0;
  return any ? error : Errno::kESRCH;
}

SyscallResult SendToThread(Task& task, int32_t tgid, int32_t tid, const SigInfo& info, int signo) {
  MutexLock lock(Kernel::Get().lock());
  PidTable& pids = Kernel::Get().pids();
  Task* target = pids.FindTask(tid);
  if (!target || (tgid != 0 && target->group().pid() != tgid)) return Errno::kESRCH;
  TRY(CheckMaySignal(task, target->group(), signo));
  if (signo) TRY(SendToTask(*target, info));
  return 0;
}

// The sender's word for si_code: only what a program may claim (rt_sigqueueinfo(2)).
Result<SigInfo> ReadQueuedInfo(Task& task, UserPtr<const SigInfo> info, int signo,
                               int32_t target_pid) {
  SigInfo out = TRY(task.memory().Read(info));
  out.signo = signo;
  if ((out.code >= 0 || out.code == kSiTkill) && target_pid != task.group().pid())
    return Errno::kEPERM;
  return out;
}

bool IsBadSignal(int signo) { return signo < 0 || signo > kSigMax; }

}  // namespace

SyscallResult sys_kill(Task& task, int32_t pid, Signal signal) {
  const int signo = int(signal);
  const SigInfo info = InfoFrom(task, signo, kSiUser);
  MutexLock lock(Kernel::Get().lock());
  if (pid == INT32_MIN) return Errno::kESRCH;
  if (pid <= 0) {
    if (IsBadSignal(signo)) return Errno::kEINVAL;
    return KillMany(task, pid, info, signo);
  }
  if (IsBadSignal(signo)) return Errno::kEINVAL;
  PidTable& pids = Kernel::Get().pids();
  ThreadGroup* group = pids.FindGroup(pid);
  if (!group) {
    // The number of any of its threads names a process too.
    Task* other = pids.FindTask(pid);
    if (!other) return Errno::kESRCH;
    group = &other->group();
  }
  TRY(CheckMaySignal(task, *group, signo));
  if (signo) TRY(SendToGroup(*group, info));
  return 0;
}

SyscallResult sys_tgkill(Task& task, int32_t tgid, int32_t tid, Signal signal) {
  if (tgid <= 0 || tid <= 0 || IsBadSignal(int(signal))) return Errno::kEINVAL;
  return SendToThread(task, tgid, tid, InfoFrom(task, int(signal), kSiTkill), int(signal));
}
SyscallResult sys_tkill(Task& task, int32_t tid, Signal signal) {
  if (tid <= 0 || IsBadSignal(int(signal))) return Errno::kEINVAL;
  return SendToThread(task, 0, tid, InfoFrom(task, int(signal), kSiTkill), int(signal));
}

SyscallResult sys_rt_sigqueueinfo(Task& task, int32_t pid, Signal signal,
                                  UserPtr<const SigInfo> info) {
  const int signo = int(signal);
  const SigInfo queued = TRY(ReadQueuedInfo(task, info, signo, pid));
  MutexLock lock(Kernel::Get().lock());
  PidTable& pids = Kernel::Get().pids();
  ThreadGroup* group = pid > 0 ? pids.FindGroup(pid) : nullptr;
  if (!group) {
    Task* other = pid > 0 ? pids.FindTask(pid) : nullptr;
    if (!other) return Errno::kESRCH;
    group = &other->group();
  }
  if (IsBadSignal(signo)) return Errno::kEINVAL;
  TRY(CheckMaySignal(task, *group, signo));
  if (signo) TRY(SendToGroup(*group, queued));
  return 0;
}

SyscallResult sys_rt_tgsigqueueinfo(Task& task, int32_t tgid, int32_t tid, Signal signal,
                                    UserPtr<const SigInfo> info) {
  const SigInfo queued = TRY(ReadQueuedInfo(task, info, int(signal), tgid));
  if (tgid <= 0 || tid <= 0 || IsBadSignal(int(signal))) return Errno::kEINVAL;
  return SendToThread(task, tgid, tid, queued, int(signal));
}

// ---- Waiting
SyscallResult sys_pause(Task& task) {
  static_cast<void>(task.Sleep(hal::Deadline::Never()));
  return Errno::kRestartNoHand;
}

SyscallResult sys_rt_sigsuspend(Task& task, UserPtr<const uint64_t> mask, uint64_t size) {
  if (size != kMaskSize) return Errno::kEINVAL;
  task.SetTemporaryMask(SignalSet(TRY(task.memory().Read(mask))));
  static_cast<void>(task.Sleep(hal::Deadline::Never()));
  return Errno::kRestartNoHand;
}

SyscallResult sys_rt_sigtimedwait(Task& task, UserPtr<const uint64_t> set, UserPtr<SigInfo> info,
                                  UserPtr<const Timespec> timeout, uint64_t size) {
  if (size != kMaskSize) return Errno::kEINVAL;
  UserMemory memory = task.memory();
  const SignalSet wanted = SignalSet(TRY(memory.Read(set))) & ~kUnblockable;
  hal::Deadline deadline = hal::Deadline::Never();
  if (timeout) deadline = DeadlineAfter(TRY(DurationOf(TRY(memory.Read(timeout)))));
  TaskSignals& state = task.signal_state();
  SigInfo taken;
  RefPtr<PosixTimer> timer;
  int signo;
  {
    MutexLock lock(task.signal_lock());
    signo = task.TakeSignal(wanted, taken, timer);
    if (!signo) {
      // While it waits they are as good as unblocked, so that they wake it.
      state.real_mask = state.mask;
      state.mask = state.mask & ~wanted;
      task.RecomputePending();
    }
  }
  bool timed_out = false;
  if (!signo) {
    auto slept = task.Sleep(deadline);
    timed_out = !slept.ok() && slept.error() == Errno::kETIMEDOUT;
    MutexLock lock(task.signal_lock());
    signo = task.TakeSignal(wanted, taken, timer);
    state.mask = state.real_mask;
    state.real_mask = SignalSet();
    task.RecomputePending();
  }
  if (!signo) return timed_out ? Errno::kEAGAIN : Errno::kEINTR;
  if (timer) timer->OnDelivered(taken);
  if (info) TRY(memory.Write(info, taken));
  return uint64_t(signo);
}

SyscallResult sys_restart_syscall(Task& task) { return task.ResumeRestarted(); }

}  // namespace zrun::compat
