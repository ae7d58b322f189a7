// Processes by descriptor.
#include "compat/pidfd.h"

#include "compat/inspect.h"
#include "compat/signal_send.h"
#include "compat/syscall_table.h"

namespace zrun::compat {

using namespace abi;

SyscallResult sys_pidfd_open(Task& task, int32_t pid, PidFdFlags flags) {
  if (!HasOnly(flags, PidFdFlags::kNonBlock) || pid <= 0) return Errno::kEINVAL;
  RefPtr<ThreadGroup> group;
  {
    MutexLock lock(Kernel::Get().lock());
    PidTable& pids = Kernel::Get().pids();
    group = RefPtr<ThreadGroup>(pids.FindGroup(pid));
    if (!group) return pids.FindTask(pid) ? Errno::kEINVAL : Errno::kESRCH;
  }
  const auto mode = OpenFlags::kReadWrite | OpenFlags(uint32_t(flags));
  return task.InstallFile(TRY(CreatePidFd(std::move(group), mode)), true);
}

SyscallResult sys_pidfd_send_signal(Task& task, Fd fd, Signal signal, UserPtr<const SigInfo> info,
                                    uint32_t flags) {
  if (flags) return Errno::kEINVAL;
  auto file = TRY(task.fds().Get(fd));
  auto group = GroupOfPidFd(*file);
  if (!group) return Errno::kEBADF;
  const int signo = int(signal);
  SigInfo sent = InfoFrom(task, signo, kSiUser);
  if (info) {
    sent = TRY(task.memory().Read(info));
    if (sent.signo != signo) return Errno::kEINVAL;
    if (group.get() != &task.group() && (sent.code >= 0 || sent.code == kSiTkill))
      return Errno::kEPERM;
  }
  if (signo < 0 || signo > kSigMax) return Errno::kEINVAL;
  MutexLock lock(Kernel::Get().lock());
  if (Kernel::Get().pids().FindGroup(group->pid()) != group.get()) return Errno::kESRCH;
  TRY(CheckMaySignal(task, *group, signo));
  if (signo) TRY(SendToGroup(*group, sent));
  return 0;
}

SyscallResult sys_pidfd_getfd(Task& task, Fd fd, Fd target_fd, uint32_t flags) {
  if (flags) return Errno::kEINVAL;
  auto file = TRY(task.fds().Get(fd));
  auto group = GroupOfPidFd(*file);
  if (!group) return Errno::kEBADF;
  auto target = group->AnyTask();
  if (!target) return Errno::kESRCH;
  if (!MayInspect(task, *target)) return Errno::kEPERM;
  auto fds = target->ShareFds();
  if (!fds) return Errno::kESRCH;
  Handle handle = TRY(fds->GetHandle(target_fd));
  const Fd made =
      TRY(task.fds().Add(std::move(handle), true, task.group().limits().soft(Limit::kFiles)));
  return uint64_t(made.value);
}

}  // namespace zrun::compat
