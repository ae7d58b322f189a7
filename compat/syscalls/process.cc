// Making and ending processes and threads; their numbers, groups and sessions.
#include "compat/abi/arch.h"
#include "compat/clone.h"
#include "compat/exit.h"
#include "compat/syscall_table.h"
#include "compat/sysv_ipc.h"

namespace zrun::compat {
namespace {

struct CloneArgs {  // struct clone_args, <linux/sched.h>
  uint64_t flags, pid_fd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
      set_tid_size, cgroup;
};
constexpr size_t kCloneArgsFirst = 64;

}  // namespace

SyscallResult sys_fork(Task& task) {
  CloneRequest request;
  request.exit_signal = abi::kSigChld;
  return CloneTask(task, request);
}

SyscallResult sys_vfork(Task& task) {
  CloneRequest request;
  request.flags = kCloneVm | kCloneVfork;
  request.exit_signal = abi::kSigChld;
  return CloneTask(task, request);
}

#if defined(__x86_64__)
SyscallResult sys_clone(Task& task, uint64_t flags, UserAddr stack, UserAddr parent_tid,
                        UserAddr child_tid, UserAddr tls) {
#else
SyscallResult sys_clone(Task& task, uint64_t flags, UserAddr stack, UserAddr parent_tid,
                        UserAddr tls, UserAddr child_tid) {
#endif
  constexpr uint64_t kSignalMask = 0xff;
  CloneRequest request;
  request.flags = uint32_t(flags) & ~kSignalMask;
  request.exit_signal = int(flags & kSignalMask);
  request.stack = stack.address;
  request.parent_tid = parent_tid.address;
  request.child_tid = child_tid.address;
  request.tls = tls.address;
  if (request.flags & kClonePidFd) {
    // clone(2) has one pointer for both.
    if (request.flags & kCloneParentSetTid) return Errno::kEINVAL;
    request.pid_fd = parent_tid.address;
  }
  return CloneTask(task, request);
}

SyscallResult sys_clone3(Task& task, UserAddr arguments, size_t size) {
  if (size < kCloneArgsFirst) return Errno::kEINVAL;
  if (size > hal::kPageSize) return Errno::kE2BIG;
  CloneArgs args = {};
  const std::span<std::byte> bytes = std::as_writable_bytes(std::span(&args, 1));
  const UserPtr<const std::byte> from(arguments.address);
  TRY(task.memory().ReadAll(bytes.first(std::min(size, bytes.size())), from));
  // What a newer program knows and we do not must be zero.
  for (size_t at = bytes.size(); at < size; at++) {
    if (TRY(task.memory().Read(from.at(at))) != std::byte{}) return Errno::kE2BIG;
  }
  constexpr uint64_t kSignalMask = 0xff;
  constexpr uint64_t kKnown = 0x7'ffff'ffff;
  if ((args.flags & (kSignalMask & ~kCloneNewTime)) || (args.flags & kCloneDetached) ||
      (args.flags & ~kKnown))
    return Errno::kEINVAL;
  if (args.exit_signal & ~kSignalMask || args.exit_signal > 64) return Errno::kEINVAL;
  if ((args.flags & (kCloneThread | kCloneParent)) && args.exit_signal) return Errno::kEINVAL;
  if ((args.stack == 0) != (args.stack_size == 0)) return Errno::kEINVAL;
  if (args.stack + args.stack_size < args.stack) return Errno::kEINVAL;
  if (args.flags & kCloneIntoCgroup) return Errno::kEBADF;
  if ((args.set_tid == 0) != (args.set_tid_size == 0) || args.set_tid_size > 32)
    return Errno::kEINVAL;
  CloneRequest request;
  request.flags = args.flags;
  request.exit_signal = int(args.exit_signal);
  request.stack = args.stack ? args.stack + args.stack_size : 0;
  request.parent_tid = args.parent_tid;
  request.child_tid = args.child_tid;
  request.tls = args.tls;
  request.pid_fd = args.pid_fd;
  if (args.set_tid_size) {
    if (args.set_tid_size > 1) return Errno::kEINVAL;  // one pid namespace
    request.wanted_tid = TRY(task.memory().Read(UserPtr<const int32_t>(args.set_tid)));
    if (request.wanted_tid <= 0 || request.wanted_tid >= PidTable::kMaxPid) return Errno::kEINVAL;
    if (!task.Has(vfs::Capability::kSysAdmin)) return Errno::kEPERM;
  }
  return CloneTask(task, request);
}

SyscallResult sys_unshare(Task& task, uint64_t flags) {
  constexpr uint64_t kKnown = kCloneFs | kCloneFiles | kCloneSysVSem | kCloneNamespaces |
                              kCloneThread | kCloneVm | kCloneSighand;
  if (flags & ~kKnown) return Errno::kEINVAL;
  // A process with other threads cannot take these apart.
  if ((flags & (kCloneThread | kCloneVm | kCloneSighand)) && task.group().thread_count() > 1)
    return Errno::kEINVAL;
  TRY(CheckNamespaces(task, flags));
  if (flags & kCloneSysVSem) UndoSemaphores(task.group());
  if (flags & kCloneFs) task.ReplaceFs(TRY(task.fs().Clone()));
  if (flags & kCloneFiles) task.ReplaceFds(TRY(task.fds().Clone()));
  return 0;
}

SyscallResult sys_exit(Task& task, int32_t status) {
  task.End((status & 0xff) << 8);
  return 0;
}

SyscallResult sys_exit_group(Task& task, int32_t status) {
  MutexLock lock(task.group().signal_lock);
  BeginGroupExit(task.group(), (status & 0xff) << 8);
  return 0;
}

SyscallResult sys_set_tid_address(Task& task, UserAddr address) {
  task.clear_child_tid = address.address;
  return uint64_t(task.tid());
}

// ---- Numbers.
SyscallResult sys_getpid(Task& task) { return uint64_t(task.group().pid()); }
SyscallResult sys_gettid(Task& task) { return uint64_t(task.tid()); }

SyscallResult sys_getppid(Task& task) {
  MutexLock lock(task.kernel().lock());
  return task.group().parent ? uint64_t(task.group().parent->pid()) : 0;
}

namespace {

// The process |pid| names, 0 meaning the caller's.
Result<ThreadGroup*> FindProcess(Task& task, int32_t pid) REQUIRES(task.kernel().lock()) {
  if (pid == 0) return &task.group();
  if (pid < 0) return Errno::kESRCH;
  if (ThreadGroup* group = task.kernel().pids().FindGroup(pid); group && group->process_group)
    return group;
  // A thread's number will do for the getters.
  if (Task* thread = task.kernel().pids().FindTask(pid)) return &thread->group();
  return Errno::kESRCH;
}

}  // namespace

SyscallResult sys_getpgid(Task& task, int32_t pid) {
  MutexLock lock(task.kernel().lock());
  return uint64_t(TRY(FindProcess(task, pid))->process_group->id);
}
SyscallResult sys_getpgrp(Task& task) { return sys_getpgid(task, 0); }

SyscallResult sys_getsid(Task& task, int32_t pid) {
  MutexLock lock(task.kernel().lock());
  return uint64_t(TRY(FindProcess(task, pid))->session().id);
}

SyscallResult sys_setpgid(Task& task, int32_t pid, int32_t group_id) {
  if ((group_id == 0 ? pid : group_id) < 0) return Errno::kEINVAL;
  MutexLock lock(task.kernel().lock());
  PidTable& pids = task.kernel().pids();
  ThreadGroup* const target = pid == 0 ? &task.group() : pid < 0 ? nullptr : pids.FindGroup(pid);
  if (!target || !target->process_group) return Errno::kESRCH;
  if (target != &task.group()) {
    if (target->parent != &task.group()) return Errno::kESRCH;
    if (&target->session() != &task.group().session()) return Errno::kEPERM;
    if (target->has_execed) return Errno::kEACCES;
  }
  if (target->session().id == target->pid()) return Errno::kEPERM;  // a session's leader
  if (group_id == 0) group_id = target->pid();
  ProcessGroup* existing = pids.FindProcessGroup(group_id);
  if (existing && existing->session.get() != &target->session()) return Errno::kEPERM;
  if (!existing && group_id != target->pid()) return Errno::kEPERM;
  if (existing == target->process_group.get()) return 0;
  RefPtr<ProcessGroup> wanted(existing);
  if (!wanted) {
    wanted = TRY(MakeRef<ProcessGroup>(group_id, target->process_group->session));
    pids.SetProcessGroup(group_id, wanted.get());
  }
  target->process_group->members.Remove(*target);
  wanted->members.PushBack(*target);
  target->process_group = std::move(wanted);
  return 0;
}

SyscallResult sys_setsid(Task& task) {
  MutexLock lock(task.kernel().lock());
  PidTable& pids = task.kernel().pids();
  ThreadGroup& group = task.group();
  // A process group of that number must not exist, be it only with others in it.
  if (pids.FindProcessGroup(group.pid())) return Errno::kEPERM;
  auto session = TRY(MakeRef<Session>(group.pid()));
  auto process_group = TRY(MakeRef<ProcessGroup>(group.pid(), session));
  pids.SetSession(group.pid(), session.get());
  pids.SetProcessGroup(group.pid(), process_group.get());
  group.process_group->members.Remove(group);
  process_group->members.PushBack(group);
  group.process_group = std::move(process_group);
  group.gave_up_terminal = false;
  return uint64_t(group.pid());
}

#if defined(__x86_64__)
SyscallResult sys_arch_prctl(Task& task, int32_t operation, UserAddr address) {
  constexpr int32_t kSetGs = 0x1001, kSetFs = 0x1002, kGetFs = 0x1003, kGetGs = 0x1004,
                    kGetCpuid = 0x1011, kSetCpuid = 0x1012;
  switch (operation) {
    case kSetFs:
      if (address.address >= abi::kUserTop) return Errno::kEPERM;
      hal::SetThreadPointer(address.address);
      return 0;
    case kGetFs:
      TRY(task.memory().Write(UserPtr<uint64_t>(address.address), hal::ThreadPointer()));
      return 0;
    case kGetGs:
      TRY(task.memory().Write(UserPtr<uint64_t>(address.address), hal::GsBase()));
      return 0;
    case kSetGs:
      if (address.address >= abi::kUserTop) return Errno::kEPERM;
      hal::SetGsBase(address.address);
      return 0;
    case kGetCpuid:
      return 1;
    case kSetCpuid:
      return Errno::kENODEV;
    default:
      return Errno::kEINVAL;
  }
}
#endif

}  // namespace zrun::compat
