// ioctl(2): what concerns descriptors and every file; the rest is the file's own.
#include "compat/async_io.h"
#include "compat/blocking.h"
#include "compat/file_params.h"
#include "compat/syscall_table.h"
#include "vfs/tty/job_control.h"
#include "vfs/tty/pty.h"

namespace zrun::compat {
namespace {

using vfs::FileDescription;

constexpr uint32_t kGetPtyPeer = 0x5441;      // TIOCGPTPEER
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
