#pragma once
#include "compat/task.h"

namespace zrun::compat {

// CLONE_*, <linux/sched.h>.
inline constexpr uint64_t kCloneVm = 0x100, kCloneFs = 0x200, kCloneFiles = 0x400,
                          kCloneSighand = 0x800, kClonePidFd = 0x1000, kClonePtrace = 0x2000,
                          kCloneVfork = 0x4000, kCloneParent = 0x8000, kCloneThread = 0x10000,
                          kCloneNewNs = 0x20000, kCloneSysVSem = 0x40000, kCloneSetTls = 0x80000,
                          kCloneParentSetTid = 0x100000, kCloneChildClearTid = 0x200000,
                          kCloneDetached = 0x400000, kCloneUntraced = 0x800000,
                          kCloneChildSetTid = 0x1000000, kCloneNewCgroup = 0x2000000,
                          kCloneNewUts = 0x4000000, kCloneNewIpc = 0x8000000,
                          kCloneNewUser = 0x10000000, kCloneNewPid = 0x20000000,
                          kCloneNewNet = 0x40000000, kCloneIo = 0x80000000,
                          kCloneClearSighand = 0x100000000, kCloneIntoCgroup = 0x200000000,
                          kCloneNewTime = 0x80;
inline constexpr uint64_t kCloneNamespaces = kCloneNewNs | kCloneNewCgroup | kCloneNewUts |
                                             kCloneNewIpc | kCloneNewUser | kCloneNewPid |
                                             kCloneNewNet | kCloneNewTime;

struct CloneRequest {
  uint64_t flags = 0;  // without the signal
  int exit_signal = 0;
  uint64_t stack = 0;  // the new stack pointer; 0: the caller's
  uint64_t parent_tid = 0, child_tid = 0, tls = 0;
  uint64_t pid_fd = 0;     // where the descriptor is written
  int32_t wanted_tid = 0;  // set_tid; 0: any
};

// fork, vfork, clone and clone3: the child's number.
SyscallResult CloneTask(Task& parent, const CloneRequest& request);
// What unshare(2) and clone say of namespaces, which there are none of.
Result<void> CheckNamespaces(Task& task, uint64_t flags);

// Makes tasks.
class TaskBuilder {
 public:
  // pid 1 (or 2), which has no parent process.
  struct First {
    int32_t pid;
    ThreadGroup* parent;
    RefPtr<vfs::Credentials> credentials;
    RefPtr<FdTable> fds;
    RefPtr<FsContext> fs;
    RefPtr<VmAddressRegion> region;
    OwnPtr<ExecPlan> plan;
  };
  static Result<RefPtr<ThreadGroup>> StartFirst(First first, RefPtr<Session> session,
                                                ThreadGroup* reaper);
  // One that never runs: a process of the kernel's own is asked for by it.
  static Result<RefPtr<Task>> CreateIdle(RefPtr<ThreadGroup> group, std::string_view name,
                                         RefPtr<vfs::Credentials> credentials);

 private:
  friend SyscallResult CloneTask(Task& parent, const CloneRequest& request);
  struct Parts;
  static SyscallResult Clone(Task& parent, const CloneRequest& request);
  static Result<void> Number(Parts& parts);
  static Result<void> Assemble(Parts& parts);
  static Result<void> Link(Parts& parts);
};

}  // namespace zrun::compat
