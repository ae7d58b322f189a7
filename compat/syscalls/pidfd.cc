// Processes by descriptor.
#include "compat/pidfd.h"

#include "compat/inspect.h"
#include "compat/signal_send.h"
#include "compat/syscall_table.h"
#include "vfs/procfs/procfs.h"

namespace zrun::compat {

using namespace abi;

SyscallResult sys_pidfd_open(Task& task, int32_t pid, PidFdFlags flags) {
  if (!HasOnly(flags, PidFdFlags::kNonBlock | PidFdFlags::kThread) || pid <= 0)
    return Errno::kEINVAL;
  RefPtr<Task> target = TRY(FindTask(pid));
  const RefPtr<ThreadGroup> group = target->group_ref();
  if (pid == group->pid()) {
    target = nullptr;
  } else if (!HasAny(flags, PidFdFlags::kThread)) {
    return Errno::kEINVAL;
  }
  const auto mode = OpenFlags::kReadWrite | OpenFlags(uint32_t(flags));
  return task.InstallFile(TRY(PidFd::Create(group, std::move(target), mode)), true);
}

namespace {

// Whom a signal goes to: PIDFD_SIGNAL_*; by default what the descriptor names.
enum class Scope : uint32_t { kDefault = 0, kThread = 1, kProcess = 2, kProcessGroup = 4 };

Result<Scope> ScopeOf(uint32_t flags) {
  if (flags != 0 && (!std::has_single_bit(flags) || flags > uint32_t(Scope::kProcessGroup)))
    return Errno::kEINVAL;
  return Scope(flags);
}

Result<void> SendTo(Task& sender, Task& target, Scope scope, const SigInfo& info)
    REQUIRES(Kernel::Get().lock()) {
  const int signo = info.signo;
  if (scope == Scope::kProcessGroup) {
    ProcessGroup* const group = Kernel::Get().pids().FindProcessGroup(target.tid());
    if (!group) return Errno::kESRCH;
    Kernel::Get().CountBroadcast();
    Result<void> refused = Errno::kESRCH;
    bool sent = false;
    for (ThreadGroup& member : group->members) {
      refused = CheckMaySignal(sender, member, signo);
      if (!refused.ok()) continue;
      sent = true;
      if (signo) static_cast<void>(SendToGroup(member, info));
    }
    if (!sent) return refused;
    return {};
  }
  TRY(CheckMaySignal(sender, target.group(), signo));
  if (!signo) return {};
  return scope == Scope::kThread ? SendToTask(target, info) : SendToGroup(target.group(), info);
}

}  // namespace

SyscallResult sys_pidfd_send_signal(Task& task, Fd fd, Signal signal, UserPtr<const SigInfo> info,
                                    uint32_t flags) {
  Scope scope = TRY(ScopeOf(flags));
  const auto file = TRY(task.fds().Get(fd));
  const auto pid_fd = AsPidFd(*file);
  // The directory of a process in /proc will do.
  const int32_t number = pid_fd ? 0 : vfs::ProcessOfDirectory(*file);
  if (!pid_fd && number == 0) return Errno::kEBADF;
  if (scope == Scope::kDefault)
    scope = pid_fd && pid_fd->names_thread() ? Scope::kThread : Scope::kProcess;

  const int signo = int(signal);
  SigInfo sent = InfoFrom(task, signo, scope == Scope::kThread ? kSiTkill : kSiUser);
  if (info) {
    sent = TRY(task.memory().Read(info));
    if (sent.signo != signo) return Errno::kEINVAL;
  }
  if (signo < 0 || signo > kSigMax) return Errno::kEINVAL;
  MutexLock lock(Kernel::Get().lock());
  Task* const target = pid_fd ? pid_fd->Find() : Kernel::Get().pids().FindTask(number);
  if (!target) return Errno::kESRCH;
  const bool is_own = &target->group() == &task.group() && scope != Scope::kProcessGroup;
  if (info && !is_own && (sent.code >= 0 || sent.code == kSiTkill)) return Errno::kEPERM;
  TRY(SendTo(task, *target, scope, sent));
  return 0;
}

SyscallResult sys_pidfd_getfd(Task& task, Fd fd, Fd target_fd, uint32_t flags) {
  if (flags) return Errno::kEINVAL;
  const auto file = TRY(task.fds().Get(fd));
  const auto pid_fd = AsPidFd(*file);
  if (!pid_fd) return Errno::kEBADF;
  const auto target = pid_fd->Get();
  if (!target) return Errno::kESRCH;
  if (!MayInspect(task, *target)) return Errno::kEPERM;
  auto fds = target->ShareFds();
  if (!fds) return Errno::kESRCH;
  Handle handle = TRY(fds->GetHandle(target_fd));
  const Fd made =
      TRY(task.fds().Add(std::move(handle), true, task.group().limits().soft(Limit::kFiles)));
  return uint64_t(made.value);
}

// A process that has been killed gives its memory back as fast as it can: all there is to do is to
// wait until it has done so.
SyscallResult sys_process_mrelease(Task& task, Fd fd, uint32_t flags) {
  if (flags) return Errno::kEINVAL;
  const auto file = TRY(task.fds().Get(fd));
  const auto pid_fd = AsPidFd(*file);
  if (!pid_fd) return Errno::kEBADF;
  const auto target = pid_fd->Get();
  if (!target || pid_fd->thread()) return Errno::kESRCH;
  ThreadGroup& group = target->group();
  {
    MutexLock lock(group.signal_lock);
    if (group.live_tasks == 0) return Errno::kESRCH;
    if (!group.exiting) return Errno::kEINVAL;
  }
  TRY(task.WaitFor(group.process(), Signals::kTerminated, hal::Deadline::Never()));
  return 0;
}

}  // namespace zrun::compat
