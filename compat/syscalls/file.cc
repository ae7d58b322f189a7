// Reading, writing and positions.
#include "compat/blocking.h"
#include "compat/path_argument.h"
#include "compat/syscall_table.h"
#include "compat/user_buffer.h"
#include "vfs/notify.h"

namespace zrun::compat {
namespace {

using vfs::FileDescription;

constexpr int64_t kCurrentPosition = -1;  // preadv2, pwritev2

SyscallResult Done(Result<void> result) {
  if (!result.ok()) return result.error();
  return 0;
}

// The end of a call that has read from |file|, or tried to.
SyscallResult HasRead(Task& task, FileDescription& file, Result<size_t> result) {
  task.CountRead(result.ok() ? result.value() : 0);
  if (!result.ok()) return result.error();
  // Those with contents of their own tell of it themselves.
  if (result.value() > 0 && file.kind() != FileDescription::Kind::kVnode)
    NotifyFile(file.path(), vfs::NotifyEvent::kAccess);
  return result.value();
}

SyscallResult HasWritten(Task& task, FileDescription& file, Result<size_t> result) {
  task.CountWrite(result.ok() ? result.value() : 0);
  if (!result.ok()) return result.error();
  if (result.value() > 0 && file.kind() != FileDescription::Kind::kVnode)
    NotifyFile(file.path(), vfs::NotifyEvent::kModify);
  return result.value();
}

Result<uint64_t> EndOfFile(FileDescription& file) {
  return TRY(file.path().vnode()->GetAttributes()).size;
}

// A write at the file's position, within RLIMIT_FSIZE.
Result<size_t> WriteLimited(Task& task, FileDescription& file, UserSource& source,
                            bool nonblocking) {
  if (file.kind() != FileDescription::Kind::kVnode ||
      task.group().limits().soft(Limit::kFileSize) == kUnlimited)
    return WriteFile(task, file, source, nonblocking);
  const bool append = HasAny(file.flags(), OpenFlags::kAppend);
  const uint64_t offset = append ? TRY(EndOfFile(file)) : TRY(file.Seek(0, int(Whence::kCurrent)));
  LimitedSource limited(source, TRY(LimitFileSize(task, file, offset, source.remaining())));
  return WriteFile(task, file, limited, nonblocking);
}

Result<size_t> WriteLimitedAt(Task& task, FileDescription& file, UserSource& source,
                              uint64_t offset) {
  LimitedSource limited(source, TRY(LimitFileSize(task, file, offset, source.remaining())));
  return file.WriteAt(offset, limited);
}

// A count of bytes as read(2) takes it: a negative one reaches past the end of guest memory.
Result<void> CheckCount(uint64_t count) {
  if (int64_t(count) < 0) return Errno::kEFAULT;
  return {};
}

// Whether it has no positions to read or write at.
bool CannotSeek(FileDescription& file) {
  switch (file.kind()) {
    case FileDescription::Kind::kVnode:
    case FileDescription::Kind::kSharedMemory:
      return false;
    case FileDescription::Kind::kOther: {
      const auto position = file.Seek(0, int(Whence::kCurrent));
      return !position.ok() && position.error() == Errno::kESPIPE;
    }
    default:
      return true;
  }
}

// The file of a call that names a position: ESPIPE comes before a wrong access mode, and before
// whatever is wrong with the buffers.
Result<RefPtr<FileDescription>> GetPositioned(Task& task, Fd fd, Rights wanted) {
  auto file = task.fds().Get(fd, wanted);
  const auto any = file.ok() ? file.value() : TRY(task.fds().Get(fd));
  if (CannotSeek(*any)) return Errno::kESPIPE;
  return file;
}

}  // namespace

SyscallResult sys_read(Task& task, Fd fd, UserPtr<std::byte> buffer, uint64_t count) {
  const auto file = TRY(task.fds().Get(fd, Rights::kRead));
  TRY(CheckCount(count));
  UserSink sink(task.memory(), buffer, count);
  return HasRead(task, *file, ReadFile(task, *file, sink, file->is_nonblocking()));
}

SyscallResult sys_write(Task& task, Fd fd, UserPtr<const std::byte> buffer, uint64_t count) {
  const auto file = TRY(task.fds().Get(fd, Rights::kWrite));
  TRY(CheckCount(count));
  UserSource source(task.memory(), buffer, count);
  return HasWritten(task, *file, WriteLimited(task, *file, source, file->is_nonblocking()));
}

SyscallResult sys_pread64(Task& task, Fd fd, UserPtr<std::byte> buffer, uint64_t count,
                          int64_t offset) {
  if (offset < 0) return Errno::kEINVAL;
  const auto file = TRY(GetPositioned(task, fd, Rights::kRead));
  TRY(CheckCount(count));
  TRY(CheckFileRange(uint64_t(offset), count));
  UserSink sink(task.memory(), buffer, count);
  return HasRead(task, *file, file->ReadAt(uint64_t(offset), sink));
}

SyscallResult sys_pwrite64(Task& task, Fd fd, UserPtr<const std::byte> buffer, uint64_t count,
                           int64_t offset) {
  if (offset < 0) return Errno::kEINVAL;
  const auto file = TRY(GetPositioned(task, fd, Rights::kWrite));
  TRY(CheckCount(count));
  TRY(CheckFileRange(uint64_t(offset), count));
  UserSource source(task.memory(), buffer, count);
  return HasWritten(task, *file, WriteLimitedAt(task, *file, source, uint64_t(offset)));
}

SyscallResult sys_readv(Task& task, Fd fd, UserPtr<const abi::Iovec> vectors, uint64_t count) {
  const auto file = TRY(task.fds().Get(fd, Rights::kRead));
  const auto copied = TRY(ReadIovecs(task.memory(), vectors, count));
  UserSink sink(task.memory(), copied);
  return HasRead(task, *file, ReadFile(task, *file, sink, file->is_nonblocking()));
}

SyscallResult sys_writev(Task& task, Fd fd, UserPtr<const abi::Iovec> vectors, uint64_t count) {
  const auto file = TRY(task.fds().Get(fd, Rights::kWrite));
  const auto copied = TRY(ReadIovecs(task.memory(), vectors, count));
  UserSource source(task.memory(), copied);
  return HasWritten(task, *file, WriteLimited(task, *file, source, file->is_nonblocking()));
}

SyscallResult sys_preadv(Task& task, Fd fd, UserPtr<const abi::Iovec> vectors, uint64_t count,
                         int64_t offset) {
  if (offset < 0) return Errno::kEINVAL;
  const auto file = TRY(GetPositioned(task, fd, Rights::kRead));
  const auto copied = TRY(ReadIovecs(task.memory(), vectors, count));
  UserSink sink(task.memory(), copied);
  TRY(CheckFileRange(uint64_t(offset), sink.remaining()));
  return HasRead(task, *file, file->ReadAt(uint64_t(offset), sink));
}

SyscallResult sys_pwritev(Task& task, Fd fd, UserPtr<const abi::Iovec> vectors, uint64_t count,
                          int64_t offset) {
  if (offset < 0) return Errno::kEINVAL;
  const auto file = TRY(GetPositioned(task, fd, Rights::kWrite));
  const auto copied = TRY(ReadIovecs(task.memory(), vectors, count));
  UserSource source(task.memory(), copied);
  TRY(CheckFileRange(uint64_t(offset), source.remaining()));
  return HasWritten(task, *file, WriteLimitedAt(task, *file, source, uint64_t(offset)));
}

SyscallResult sys_preadv2(Task& task, Fd fd, UserPtr<const abi::Iovec> vectors, uint64_t count,
                          int64_t offset, uint64_t, RwFlags flags) {
  using enum RwFlags;
  if (offset < kCurrentPosition) return Errno::kEINVAL;
  const auto file = TRY(offset == kCurrentPosition ? task.fds().Get(fd, Rights::kRead)
                                                   : GetPositioned(task, fd, Rights::kRead));
  const auto copied = TRY(ReadIovecs(task.memory(), vectors, count));
  if (!HasOnly(flags, kHighPriority | kDataSync | kSync | kNoWait)) return Errno::kEOPNOTSUPP;
  UserSink sink(task.memory(), copied);
  if (offset != kCurrentPosition) TRY(CheckFileRange(uint64_t(offset), sink.remaining()));
  if (offset != kCurrentPosition) return HasRead(task, *file, file->ReadAt(uint64_t(offset), sink));
  return HasRead(task, *file,
                 ReadFile(task, *file, sink, file->is_nonblocking() || HasAny(flags, kNoWait)));
}

SyscallResult sys_pwritev2(Task& task, Fd fd, UserPtr<const abi::Iovec> vectors, uint64_t count,
                           int64_t offset, uint64_t, RwFlags flags) {
  using enum RwFlags;
  if (offset < kCurrentPosition) return Errno::kEINVAL;
  const auto file = TRY(offset == kCurrentPosition ? task.fds().Get(fd, Rights::kWrite)
                                                   : GetPositioned(task, fd, Rights::kWrite));
  const auto copied = TRY(ReadIovecs(task.memory(), vectors, count));
  if (!HasOnly(flags, kHighPriority | kDataSync | kSync | kNoWait | kAppend))
    return Errno::kEOPNOTSUPP;
  UserSource source(task.memory(), copied);
  if (offset != kCurrentPosition) TRY(CheckFileRange(uint64_t(offset), source.remaining()));
  const bool regular = file->kind() == FileDescription::Kind::kVnode;
  uint64_t written = 0;
  if (HasAny(flags, kAppend) && regular) {
    const uint64_t end = TRY(EndOfFile(*file));
    LimitedSource limited(source, TRY(LimitFileSize(task, *file, end, source.remaining())));
    uint64_t where = 0;
    written = TRY(HasWritten(task, *file, file->path().vnode()->Append(limited, where)));
    if (offset == kCurrentPosition) TRY(file->Seek(int64_t(where + written), int(Whence::kSet)));
  } else if (offset != kCurrentPosition) {
    written = TRY(HasWritten(task, *file, WriteLimitedAt(task, *file, source, uint64_t(offset))));
  } else {
    const bool nonblocking = file->is_nonblocking() || HasAny(flags, kNoWait);
    written = TRY(HasWritten(task, *file, WriteLimited(task, *file, source, nonblocking)));
  }
  if (HasAny(flags, kDataSync | kSync) && regular) TRY(file->Sync(!HasAny(flags, kSync)));
  return written;
}

SyscallResult sys_lseek(Task& task, Fd fd, int64_t offset, Whence whence) {
  const auto file = TRY(task.fds().Get(fd));
  if (uint32_t(whence) > uint32_t(Whence::kHole)) return Errno::kEINVAL;
  return file->Seek(offset, int(whence));
}

// ---- Sizes.

SyscallResult sys_truncate(Task& task, UserCString path, int64_t size) {
  if (size < 0) return Errno::kEINVAL;
  const auto place = TRY(ResolvePath(task, Fd{kAtFdCwd}, path, vfs::WalkFlags::kNone));
  const auto vnode = place.vnode();
  if (vnode && vnode->type() == vfs::VnodeType::kRegular &&
      uint64_t(size) > TRY(vnode->GetAttributes()).size)
    TRY(CheckFileSize(task, uint64_t(size)));
  return Done(RetryAfterLeases(task, [&](RefPtr<vfs::LeaseWait>& wait) {
    return vfs::TruncatePath(*task.credentials(), place, uint64_t(size), wait);
  }));
}

SyscallResult sys_ftruncate(Task& task, Fd fd, int64_t size) {
  if (size < 0) return Errno::kEINVAL;
  const auto file = TRY(task.fds().Get(fd));
  const auto vnode = file->path().vnode();
  if (!vnode || vnode->type() != vfs::VnodeType::kRegular || !file->writable())
    return Errno::kEINVAL;
  if (uint64_t(size) > TRY(EndOfFile(*file))) TRY(CheckFileSize(task, uint64_t(size)));
  return Done(file->Truncate(uint64_t(size)));
}

SyscallResult sys_fallocate(Task& task, Fd fd, FallocateMode mode, int64_t offset, int64_t size) {
  using enum FallocateMode;
  const auto file = TRY(task.fds().Get(fd));
  if (offset < 0 || size <= 0) return Errno::kEINVAL;
  if (!HasOnly(mode,
               kKeepSize | kPunchHole | kCollapseRange | kZeroRange | kInsertRange | kUnshareRange))
    return Errno::kEOPNOTSUPP;
  if (HasAny(mode, kPunchHole) && mode != (kPunchHole | kKeepSize)) return Errno::kEOPNOTSUPP;
  if (!file->writable()) return Errno::kEBADF;
  const auto vnode = file->path().vnode();
  if (!vnode) return Errno::kENODEV;
  switch (vnode->type()) {
    case vfs::VnodeType::kFifo:
      return Errno::kESPIPE;
    case vfs::VnodeType::kDirectory:
      return Errno::kEISDIR;
    case vfs::VnodeType::kRegular:
      break;
    default:
      return Errno::kENODEV;
  }
  if (offset > INT64_MAX - size) return Errno::kEFBIG;
  const uint64_t end = uint64_t(offset + size);
  if (!HasAny(mode, kKeepSize) && end > TRY(EndOfFile(*file))) TRY(CheckFileSize(task, end));
  return Done(file->Allocate(uint32_t(mode), uint64_t(offset), uint64_t(size)));
}

}  // namespace zrun::compat
