#include "vfs/inotify.h"

#include "compat/path_argument.h"
#include "compat/syscall_table.h"

namespace zrun::compat {
namespace {

constexpr uint32_t kOnlyDirectory = 0x01000000, kDontFollow = 0x02000000;  // IN_*
constexpr uint32_t kKnownBits = 0xf700efff;                                // ALL_INOTIFY_BITS

Result<RefPtr<vfs::FileDescription>> InotifyFile(Task& task, Fd fd) {
  auto file = TRY(task.fds().Get(fd));
  if (file->kind() != vfs::FileDescription::Kind::kInotify) return Errno::kEINVAL;
  return file;
}

}  // namespace

SyscallResult sys_inotify_init1(Task& task, InotifyFlags flags) {
  using enum InotifyFlags;
  if (!HasOnly(flags, kNonBlock | kCloseOnExec)) return Errno::kEINVAL;
  auto file =
      TRY(vfs::CreateInotify(OpenFlags(uint32_t(flags & kNonBlock)), task.credentials()->uid));
  return task.InstallFile(std::move(file), HasAny(flags, kCloseOnExec));
}

SyscallResult sys_inotify_init(Task& task) { return sys_inotify_init1(task, InotifyFlags{}); }

SyscallResult sys_inotify_add_watch(Task& task, Fd fd, UserCString path, uint32_t mask) {
  if ((mask & kKnownBits) == 0) return Errno::kEINVAL;
  const auto file = TRY(InotifyFile(task, fd));
  auto walk = vfs::WalkFlags::kNone;
  if (mask & kDontFollow) walk |= vfs::WalkFlags::kNoFollow;
  if (mask & kOnlyDirectory) walk |= vfs::WalkFlags::kDirectory;
  const auto place = TRY(ResolvePath(task, Fd{kAtFdCwd}, path, walk));
  TRY(vfs::CheckAccess(*task.credentials(), place, uint32_t(AccessMask::kRead)));
  return uint64_t(TRY(vfs::InotifyAddWatch(*file, place, mask)));
}

SyscallResult sys_inotify_rm_watch(Task& task, Fd fd, int32_t watch) {
  TRY(vfs::InotifyRemoveWatch(*TRY(InotifyFile(task, fd)), watch));
  return 0;
}

}  // namespace zrun::compat
