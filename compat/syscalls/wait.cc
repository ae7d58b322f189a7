// wait4(2), waitid(2).
#include "compat/wait.h"

#include "compat/pidfd.h"
#include "compat/rusage.h"
#include "compat/syscall_table.h"

namespace zrun::compat {

SyscallResult sys_wait4(Task& task, int32_t pid, UserPtr<int32_t> status, uint32_t options,
                        UserAddr usage) {
  using Who = WaitRequest::Who;
  if (options &
      ~(kWaitNoHang | kWaitStopped | kWaitContinued | kWaitNoThread | kWaitAnyKind | kWaitClone))
    return Errno::kEINVAL;
  if (pid == INT32_MIN) return Errno::kESRCH;
  WaitRequest request;
  request.options = options | kWaitExited;
  if (pid > 0) {
    request.who = Who::kProcess;
    request.id = pid;
  } else if (pid != -1) {
    request.who = Who::kGroup;
    if (pid < 0) {
      request.id = -pid;
    } else {
      MutexLock lock(task.kernel().lock());
      request.id = task.group().process_group->id;
    }
  }
  const WaitOutcome outcome = TRY(WaitForChild(task, request));
  if (outcome.pid == 0) return 0;
  if (status) TRY(task.memory().Write(status, outcome.status));
  if (usage.address)
    TRY(task.memory().Write(UserPtr<abi::Rusage>(usage.address), ToRusage(outcome.usage)));
  return uint64_t(outcome.pid);
}

SyscallResult sys_waitid(Task& task, int32_t type, int32_t id, UserAddr info, uint32_t options,
                         UserAddr usage) {
  using Who = WaitRequest::Who;
  constexpr int32_t kAll = 0, kPid = 1, kPgid = 2, kPidFd = 3;
  constexpr uint32_t kKinds = kWaitExited | kWaitStopped | kWaitContinued;
  if (options & ~(kKinds | kWaitNoHang | kWaitNoWait | kWaitNoThread | kWaitAnyKind | kWaitClone))
    return Errno::kEINVAL;
  if (!(options & kKinds)) return Errno::kEINVAL;
  WaitRequest request;
  request.options = options;
  request.id = id;
  RefPtr<ThreadGroup> target;
  switch (type) {
    case kAll:
      break;
    case kPid:
      if (id <= 0) return Errno::kEINVAL;
      request.who = Who::kProcess;
      break;
    case kPgid:
      if (id < 0) return Errno::kEINVAL;
      request.who = Who::kGroup;
      if (id == 0) {
        MutexLock lock(task.kernel().lock());
        request.id = task.group().process_group->id;
      }
      break;
    case kPidFd: {
      if (id < 0) return Errno::kEINVAL;
      const auto file = TRY(task.fds().Get(Fd{id}));
      const auto pid_fd = AsPidFd(*file);
      if (!pid_fd) return Errno::kEBADF;
      if (pid_fd->thread()) return Errno::kECHILD;
      target = pid_fd->group();
      if (file->is_nonblocking()) request.options |= kWaitNoHang;
      request.who = Who::kPidFd;
      request.target = target.get();
      break;
    }
    default:
      return Errno::kEINVAL;
  }
  const WaitOutcome outcome = TRY(WaitForChild(task, request));
  // A pidfd that does not block says so; WNOHANG has no error.
  if (outcome.pid == 0 && type == kPidFd && !(options & kWaitNoHang)) return Errno::kEAGAIN;
  if (usage.address && outcome.pid != 0)
    TRY(task.memory().Write(UserPtr<abi::Rusage>(usage.address), ToRusage(outcome.usage)));
  if (info.address) {
    abi::SigInfo out;
    if (outcome.pid != 0) {
      out = abi::SigInfo::Make(abi::kSigChld, outcome.code);
      out.SetSender(outcome.pid, outcome.uid);
      // si_status: the exit code or the signal.
      const int32_t status = outcome.status;
      out.SetStatus(outcome.code == 1   ? status >> 8 & 0xff
                    : outcome.code <= 3 ? status & 0x7f
                    : outcome.code == 6 ? abi::kSigCont
                                        : status >> 8 & 0xff);
    }
    TRY(task.memory().Write(UserPtr<abi::SigInfo>(info.address), out));
  }
  return 0;
}

}  // namespace zrun::compat
