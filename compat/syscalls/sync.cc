// Writing back, and advice about access.
#include "compat/path_argument.h"
#include "compat/syscall_table.h"
#include "vfs/block_device.h"

namespace zrun::compat {
namespace {

using vfs::FileDescription;

SyscallResult SyncFile(Task& task, Fd fd, bool data_only) {
  const auto file = TRY(task.fds().Get(fd));
  TRY(file->Sync(data_only));
  return 0;
}

bool IsSeekableFile(const FileDescription& file) {
  const auto vnode = file.path().vnode();
  return vnode && (vnode->type() == vfs::VnodeType::kRegular ||
                   vnode->type() == vfs::VnodeType::kDirectory ||
                   vnode->type() == vfs::VnodeType::kBlockDevice);
}

bool IsPipe(const FileDescription& file) { return file.kind() == FileDescription::Kind::kPipe; }

}  // namespace

SyscallResult sys_sync(Task& task) {
  // sync(2) has no way to fail; errors show on fsync.
  if (const auto mounts = task.fs().mounts().List(); mounts.ok())
    for (const auto& mount : mounts.value()) static_cast<void>(mount->file_system().Sync().ok());
  vfs::SyncDisks();
  return 0;
}

SyscallResult sys_syncfs(Task& task, Fd fd) {
  const auto file = TRY(task.fds().Get(fd));
  if (const auto vnode = file->path().vnode()) TRY(vnode->file_system().Sync());
  return 0;
}

SyscallResult sys_fsync(Task& task, Fd fd) { return SyncFile(task, fd, false); }

SyscallResult sys_fdatasync(Task& task, Fd fd) { return SyncFile(task, fd, true); }

SyscallResult sys_sync_file_range(Task& task, Fd fd, int64_t offset, int64_t size, uint32_t flags) {
  constexpr uint32_t kKnown = 7;
  const auto file = TRY(task.fds().Get(fd));
  if ((flags & ~kKnown) || offset < 0 || size < 0 || offset > INT64_MAX - size)
    return Errno::kEINVAL;
  if (!IsSeekableFile(*file)) return Errno::kESPIPE;
  if (flags != 0) TRY(file->Sync(true));
  return 0;
}

// Advice changes nothing: file contents are always in memory or a page fault away.
SyscallResult sys_fadvise64(Task& task, Fd fd, int64_t offset, int64_t size, FileAdvice advice) {
  static_cast<void>(offset);
  const auto file = TRY(task.fds().Get(fd));
  if (IsPipe(*file)) return Errno::kESPIPE;
  if (size < 0 || uint32_t(advice) > uint32_t(FileAdvice::kNoReuse)) return Errno::kEINVAL;
  return 0;
}

SyscallResult sys_readahead(Task& task, Fd fd, int64_t offset, uint64_t size) {
  static_cast<void>(offset), static_cast<void>(size);
  const auto file = TRY(task.fds().Get(fd, Rights::kRead));
  const auto vnode = file->path().vnode();
  if (!vnode || vnode->type() != vfs::VnodeType::kRegular) return Errno::kEINVAL;
  return 0;
}

SyscallResult sys_cachestat(Task& task, Fd fd, UserPtr<const abi::CacheStatRange> range,
                            UserPtr<abi::CacheStat> stat, uint32_t flags) {
  const auto file = TRY(task.fds().Get(fd));
  const auto wanted = TRY(task.memory().Read(range));
  if (flags != 0) return Errno::kEINVAL;
  // A range that leaves the largest offset has no pages.
  const uint64_t end = wanted.length == 0 ? UINT64_MAX : wanted.offset + wanted.length;
  abi::CacheStat out{};
  // What has no pages has none in memory.
  const auto vnode = file->path().vnode();
  if (vnode && vnode->type() == vfs::VnodeType::kRegular) {
    if (auto object = vnode->Contents(); object.ok()) {
      const auto pages = object.value()->CountCached(wanted.offset, end);
      out.cached = pages.present;
      out.dirty = pages.dirty;
    }
  }
  TRY(task.memory().Write(stat, out));
  return 0;
}

}  // namespace zrun::compat
