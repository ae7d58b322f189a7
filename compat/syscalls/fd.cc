// Descriptors: duplicating them, and fcntl(2).
#include "compat/async_io.h"
#include "compat/path_argument.h"
#include "compat/record_locks.h"
#include "compat/syscall_table.h"
#include "vfs/directory_notice.h"
#include "vfs/leases.h"
#include "vfs/permissions.h"
#include "vfs/pipe.h"

namespace zrun::compat {
namespace {

constexpr uint64_t kFdCloseOnExec = 1;

uint64_t FileLimit(Task& task) { return task.group().limits().soft(Limit::kFiles); }

SyscallResult DuplicateFrom(Task& task, Fd fd, uint64_t lowest, bool close_on_exec) {
  auto handle = TRY(task.fds().GetHandle(fd));
  if (lowest >= FileLimit(task)) return Errno::kEINVAL;
  const Fd copy =
      TRY(task.fds().Add(std::move(handle), close_on_exec, FileLimit(task), int(lowest)));
  return uint64_t(copy.value);
}

SyscallResult Replace(Task& task, Fd from, Fd to, bool close_on_exec) {
  if (to.value < 0 || uint64_t(to.value) >= FileLimit(task)) return Errno::kEBADF;
  auto handle = TRY(task.fds().GetHandle(from));
  TRY(task.fds().Set(to, std::move(handle), close_on_exec, FileLimit(task)));
  return uint64_t(to.value);
}

// ---- Who is told by SIGIO.

SyscallResult GetOwnerEx(Task& task, vfs::FileDescription& file, uint64_t argument) {
  const abi::FOwnerEx owner{file.owner_type.load(), file.owner_id.load()};
  TRY(task.memory().Write(UserPtr<abi::FOwnerEx>(argument), owner));
  return 0;
}

SyscallResult SetOwnerEx(Task& task, vfs::FileDescription& file, uint64_t argument) {
  const auto owner = TRY(task.memory().Read(UserPtr<const abi::FOwnerEx>(argument)));
  if (owner.type < kOwnerTid || owner.type > kOwnerGroup) return Errno::kEINVAL;
  TRY(SetAsyncOwner(task, file, owner.type, owner.pid));
  return 0;
}

SyscallResult SetStatusFlags(Task& task, Fd fd, const RefPtr<vfs::FileDescription>& description,
                             uint64_t argument) {
  vfs::FileDescription& file = *description;
  const auto flags = OpenFlags(uint32_t(argument));
  if (HasAny(flags, OpenFlags::kNoAtime) && !HasAny(file.flags(), OpenFlags::kNoAtime)) {
    const auto credentials = task.credentials();
    if (TRY(vfs::Stat(file.path())).uid != credentials->fsuid &&
        !credentials->Has(vfs::Capability::kFowner))
      return Errno::kEPERM;
  }
  const auto vnode = file.path().vnode();
  if (vnode && vnode->is_append_only() && file.writable() && !HasAny(flags, OpenFlags::kAppend))
    return Errno::kEPERM;
  const bool async = HasAny(flags, OpenFlags::kAsync);
  if (async != HasAny(file.flags(), OpenFlags::kAsync)) TRY(SetAsync(description, fd, async));
  file.SetStatusFlags(flags);
  return 0;
}

SyscallResult LockCommand(Task& task, Fd fd, const RefPtr<vfs::FileDescription>& file,
                          FcntlCommand command, uint64_t argument) {
  using enum FcntlCommand;
  const UserPtr<abi::Flock> pointer(argument);
  const bool of_file =
      command == kOfdGetLock || command == kOfdSetLock || command == kOfdSetLockWait;
  if (command == kGetLock || command == kOfdGetLock)
    return GetRecordLock(task, *file, pointer, of_file);
  TRY(SetRecordLock(task, *file, pointer, of_file,
                    command == kSetLockWait || command == kOfdSetLockWait));
  if (of_file) return 0;
  // Another thread may have closed the descriptor, and with it given up the process's locks, before
  // this one was there.
  const auto still = task.fds().Get(fd);
  if (still.ok() && still.value() == file) return 0;
  file->OnClose(&task.fds());
  return Errno::kEBADF;
}

// The commands that an O_PATH descriptor takes too.
SyscallResult DescriptorCommand(Task& task, Fd fd, FcntlCommand command, uint64_t argument) {
  using enum FcntlCommand;
  switch (command) {
    case kDupFd:
      return DuplicateFrom(task, fd, uint32_t(argument), false);
    case kDupFdCloseOnExec:
      return DuplicateFrom(task, fd, uint32_t(argument), true);
    case kGetFd:
      return TRY(task.fds().close_on_exec(fd)) ? kFdCloseOnExec : 0;
    case kSetFd:
      TRY(task.fds().SetCloseOnExec(fd, argument & kFdCloseOnExec));
      return 0;
    case kGetFlags:
      return uint32_t(TRY(task.fds().Get(fd, Rights::kNone, true))->flags());
    case kDupFdQuery: {
      const auto file = TRY(task.fds().Get(fd, Rights::kNone, true));
      return file == TRY(task.fds().Get(Fd{int32_t(argument)}, Rights::kNone, true)) ? 1 : 0;
    }
    case kCreatedQuery:
      return TRY(task.fds().Get(fd, Rights::kNone, true))->was_created() ? 1 : 0;
    default:
      return Errno::kEINVAL;
  }
}

// ---- What others do to a file or a directory.

SyscallResult SetLease(Task& task, Fd fd, vfs::FileDescription& file, int32_t type) {
  if (type < int32_t(vfs::LeaseType::kRead) || type > int32_t(vfs::LeaseType::kNone))
    return Errno::kEINVAL;
  const auto vnode = file.path().vnode();
  if (!vnode) return Errno::kEINVAL;
  const auto credentials = task.credentials();
  if (TRY(vnode->GetOwnership()).uid != credentials->fsuid &&
      !credentials->Has(vfs::Capability::kLease))
    return Errno::kEACCES;
  TRY(vfs::SetLease(file, vfs::LeaseType(type), task.group().pid(), TRY(MakeFileMessenger(fd))));
  if (vfs::LeaseType(type) != vfs::LeaseType::kNone) ClaimAsync(task, file);
  return 0;
}

SyscallResult NotifyOfDirectory(Task& task, Fd fd, const RefPtr<vfs::FileDescription>& file,
                                uint32_t events) {
  if (vfs::dir_notify_enable.get() == 0) return Errno::kEINVAL;
  if ((events & ~uint32_t(vfs::DirectoryEvent::kMultiShot)) == 0) {
    vfs::ForgetDirectory(*file, &task.fds());
    return 0;
  }
  TRY(vfs::WatchDirectory(*file, &task.fds(), events, TRY(MakeFileMessenger(fd))));
  ClaimAsync(task, *file);
  // Another thread may have closed the descriptor before this one was there.
  const auto still = task.fds().Get(fd);
  if (!still.ok() || still.value() != file) vfs::ForgetDirectory(*file, &task.fds());
  return 0;
}

SyscallResult SetWriteHint(Task& task, vfs::FileDescription& file, UserPtr<const uint64_t> from) {
  constexpr uint64_t kExtreme = 5;
  const uint64_t hint = TRY(task.memory().Read(from));
  const auto vnode = file.path().vnode();
  if (!vfs::IsOwnerOrCapable(*task.credentials(), TRY(vnode->GetOwnership()))) return Errno::kEPERM;
  if (hint > kExtreme) return Errno::kEINVAL;
  vnode->set_write_hint(hint);
  return 0;
}

SyscallResult FileCommand(Task& task, Fd fd, const RefPtr<vfs::FileDescription>& file,
                          FcntlCommand command, uint64_t argument) {
  using enum FcntlCommand;
  switch (command) {
    case kSetFlags:
      return SetStatusFlags(task, fd, file, argument);
    case kGetLock:
    case kSetLock:
    case kSetLockWait:
    case kOfdGetLock:
    case kOfdSetLock:
    case kOfdSetLockWait:
      return LockCommand(task, fd, file, command, argument);
    case kSetOwner:
      TRY(SetAsyncOwner(task, *file, int32_t(argument)));
      return 0;
    case kGetOwner:
      return uint64_t(int64_t(GetAsyncOwner(*file)));
    case kSetOwnerEx:
      return SetOwnerEx(task, *file, argument);
    case kGetOwnerEx:
      return GetOwnerEx(task, *file, argument);
    case kSetSignal:
      if (argument > uint64_t(abi::kSigMax)) return Errno::kEINVAL;
      file->owner_signal.store(int32_t(argument));
      return 0;
    case kGetSignal:
      return uint64_t(file->owner_signal.load());
    case kSetLease:
      return SetLease(task, fd, *file, int32_t(argument));
    case kGetLease:
      return uint64_t(vfs::GetLease(*file));
    case kNotify:
      return NotifyOfDirectory(task, fd, file, uint32_t(argument));
    case kSetPipeSize:
      return vfs::SetPipeSize(*file, uint32_t(argument), task.Has(vfs::Capability::kSysResource));
    case kGetPipeSize:
      return vfs::GetPipeSize(*file);
    case kGetRwHint:
      TRY(task.memory().Write(UserPtr<uint64_t>(argument), file->path().vnode()->write_hint()));
      return 0;
    case kSetRwHint:
      return SetWriteHint(task, *file, UserPtr<const uint64_t>(argument));
    case kAddSeals:
      if (!file->writable()) return Errno::kEPERM;
      TRY(file->path().vnode()->AddSeals(uint32_t(argument)));
      return 0;
    case kGetSeals:
      return TRY(file->path().vnode()->GetSeals());
    default:
      return Errno::kEINVAL;
  }
}

}  // namespace

SyscallResult sys_dup(Task& task, Fd fd) {
  auto handle = TRY(task.fds().GetHandle(fd));
  return uint64_t(TRY(task.fds().Add(std::move(handle), false, FileLimit(task))).value);
}

SyscallResult sys_dup2(Task& task, Fd from, Fd to) {
  if (from.value == to.value) {
    TRY(task.fds().Get(from, Rights::kNone, true));
    return uint64_t(to.value);
  }
  return Replace(task, from, to, false);
}

SyscallResult sys_dup3(Task& task, Fd from, Fd to, OpenFlags flags) {
  if (!HasOnly(flags, OpenFlags::kCloseOnExec) || from.value == to.value) return Errno::kEINVAL;
  return Replace(task, from, to, flags != OpenFlags{});
}

SyscallResult sys_fcntl(Task& task, Fd fd, FcntlCommand command, uint64_t argument) {
  const auto file = TRY(task.fds().Get(fd, Rights::kNone, true));
  switch (command) {
    case FcntlCommand::kDupFd:
    case FcntlCommand::kDupFdCloseOnExec:
    case FcntlCommand::kGetFd:
    case FcntlCommand::kSetFd:
    case FcntlCommand::kGetFlags:
    case FcntlCommand::kDupFdQuery:
    case FcntlCommand::kCreatedQuery:
      return DescriptorCommand(task, fd, command, argument);
    default:
      if (HasAny(file->flags(), OpenFlags::kPath)) return Errno::kEBADF;
      return FileCommand(task, fd, file, command, argument);
  }
}

}  // namespace zrun::compat
