// ioctl(2): what concerns descriptors and every file; the rest is the file's own.
#include "compat/async_io.h"
#include "compat/blocking.h"
#include "compat/file_params.h"
#include "compat/inode_flags.h"
#include "compat/syscall_table.h"
#include "vfs/tty/job_control.h"
#include "vfs/tty/pty.h"

namespace zrun::compat {
namespace {

using vfs::FileDescription;

constexpr uint32_t kGetPtyPeer = 0x5441;  // TIOCGPTPEER
// Sockets: FIOSETOWN, SIOCSPGRP, FIOGETOWN, SIOCGPGRP.
enum : uint32_t {
  kSetOwner = 0x8901,
  kSetProcessGroup = 0x8902,
  kGetOwner = 0x8903,
  kGetProcessGroup = 0x8904
};
constexpr uint32_t kClone = 0x40049409;       // FICLONE
constexpr uint32_t kCloneRange = 0x4020940d;  // FICLONERANGE

Result<void> SetFlag(Task& task, FileDescription& file, OpenFlags flag, uint64_t argument) {
  const int32_t on = TRY(task.memory().Read(UserPtr<const int32_t>(argument)));
  file.SetStatusFlags(on ? file.flags() | flag : file.flags() & ~flag);
  return {};
}

bool IsRegular(const FileDescription& file) {
  const auto vnode = file.path().vnode();
  return file.kind() == FileDescription::Kind::kVnode && vnode &&
         vnode->type() == vfs::VnodeType::kRegular;
}
bool IsStored(const FileDescription& file) {
  const auto vnode = file.path().vnode();
  return IsRegular(file) || (file.kind() == FileDescription::Kind::kVnode && vnode &&
                             vnode->type() == vfs::VnodeType::kDirectory);
}

Result<uint64_t> RegularFileRequest(Task& task, FileDescription& file, IoctlRequest request,
                                    uint64_t argument) {
  const auto attributes = TRY(file.path().vnode()->GetAttributes());
  switch (uint32_t(request)) {
    case uint32_t(IoctlRequest::kBytesReadable): {
      const int64_t position = int64_t(TRY(file.Seek(0, int(Whence::kCurrent))));
      TRY(task.memory().Write(UserPtr<int32_t>(argument),
                              int32_t(int64_t(attributes.size) - position)));
      return 0;
    }
    case uint32_t(IoctlRequest::kGetBlockSize):
      TRY(task.memory().Write(UserPtr<int32_t>(argument), int32_t(attributes.block_size)));
      return 0;
    case kClone:
    case kCloneRange:
      return Errno::kEOPNOTSUPP;
    default: {
      UserMemory memory = task.memory();
      return file.Ioctl(uint32_t(request), argument, memory);
    }
  }
}

Result<uint64_t> SocketRequest(Task& task, FileDescription& file, IoctlRequest request,
                               uint64_t argument) {
  UserMemory memory = task.memory();
  switch (uint32_t(request)) {
    case kSetOwner:
    case kSetProcessGroup:
      TRY(SetAsyncOwner(task, file, TRY(memory.Read(UserPtr<const int32_t>(argument)))));
      return 0;
    case kGetOwner:
    case kGetProcessGroup:
      TRY(memory.Write(UserPtr<int32_t>(argument), GetAsyncOwner(file)));
      return 0;
    default:
      return file.Ioctl(uint32_t(request), argument, memory);
  }
}

}  // namespace

SyscallResult sys_ioctl(Task& task, Fd fd, IoctlRequest request, uint64_t argument) {
  const auto file = TRY(task.fds().Get(fd));
  switch (request) {
    case IoctlRequest::kCloseOnExec:
      TRY(task.fds().SetCloseOnExec(fd, true));
      return 0;
    case IoctlRequest::kNoCloseOnExec:
      TRY(task.fds().SetCloseOnExec(fd, false));
      return 0;
    case IoctlRequest::kSetNonBlockingHint:
      TRY(SetFlag(task, *file, OpenFlags::kNonBlock, argument));
      return 0;
    case IoctlRequest::kAsync:
      TRY(SetFlag(task, *file, OpenFlags::kAsync, argument));
      TRY(SetAsync(file, fd, HasAny(file->flags(), OpenFlags::kAsync)));
      return 0;
    case IoctlRequest::kFileSize: {
      const auto attributes = TRY(vfs::Stat(file->path()));
      const uint32_t type = attributes.mode & vfs::kModeTypeMask;
      if (type != vfs::kModeRegular && type != vfs::kModeDirectory && type != vfs::kModeSymlink)
        return Errno::kENOTTY;
      TRY(task.memory().Write(UserPtr<int64_t>(argument), int64_t(attributes.size)));
      return 0;
    }
    default:
      break;
  }
  if (uint32_t(request) == kGetPtyPeer) {
    const auto flags = OpenFlags(uint32_t(argument));
    auto reserved = TRY(ReservedFd::Create(task));
    const auto peer = TRY(vfs::OpenPtyPeer(*file, flags & ~OpenFlags::kCloseOnExec));
    return reserved.Publish(peer, HasAny(flags, OpenFlags::kCloseOnExec));
  }
  if (file->kind() == FileDescription::Kind::kSocket)
    return SocketRequest(task, *file, request, argument);
  if (IsStored(*file)) {
    if (auto answer = InodeFlagsRequest(task, *file, uint32_t(request), argument))
      return std::move(*answer);
  }
  if (IsRegular(*file)) return RegularFileRequest(task, *file, request, argument);
  UserMemory memory = task.memory();
  return RetryUntilReady(task, *file, file->write_signals(), file->is_nonblocking(),
                         [&] { return file->Ioctl(uint32_t(request), argument, memory); });
}

SyscallResult sys_vhangup(Task& task) {
  if (!task.Has(vfs::Capability::kSysTtyConfig)) return Errno::kEPERM;
  int32_t session = 0;
  {
    MutexLock lock(task.kernel().lock());
    session = task.group().session().id;
  }
  vfs::HangUpSessionTerminal(session);
  return 0;
}

}  // namespace zrun::compat
