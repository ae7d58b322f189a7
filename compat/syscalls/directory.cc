// Names: making, removing and renaming them, and where a process stands among them.
#include "compat/path_argument.h"
#include "compat/syscall_table.h"

namespace zrun::compat {
namespace {

constexpr uint32_t kPermissionBits = 07777;

SyscallResult Done(Result<void> result) {
  if (!result.ok()) return result.error();
  return 0;
}

uint32_t ApplyUmask(Task& task, uint32_t mode) { return mode & ~task.fs().umask(); }

// The directory at |path|, for chdir and chroot: it must be searchable.
Result<vfs::Path> SearchableDirectory(Task& task, UserCString path) {
  auto place = TRY(ResolvePath(task, Fd{kAtFdCwd}, path, vfs::WalkFlags::kDirectory));
  TRY(vfs::CheckAccess(*task.credentials(), place, uint32_t(AccessMask::kExecute)));
  return place;
}

}  // namespace

SyscallResult sys_mkdirat(Task& task, Fd directory, UserCString path, FileMode mode) {
  const auto argument = TRY(ReadPathArgument(task, directory, path));
  const uint32_t bits = uint32_t(mode) & (0777 | vfs::kModeSticky);
  return Done(vfs::MakeDirectory(argument.context(), argument.text, ApplyUmask(task, bits)));
}

SyscallResult sys_mkdir(Task& task, UserCString path, FileMode mode) {
  return sys_mkdirat(task, Fd{kAtFdCwd}, path, mode);
}

SyscallResult sys_mknodat(Task& task, Fd directory, UserCString path, FileMode mode,
                          DeviceNumber device) {
  uint32_t bits = uint32_t(mode);
  switch (bits & vfs::kModeTypeMask) {
    case 0:
      bits |= vfs::kModeRegular;
      break;
    case vfs::kModeRegular:
    case vfs::kModeFifo:
    case vfs::kModeSocket:
      break;
    case vfs::kModeChar:
    case vfs::kModeBlock:
      break;
    case vfs::kModeDirectory:
      return Errno::kEPERM;
    default:
      return Errno::kEINVAL;
  }
  const auto argument = TRY(ReadPathArgument(task, directory, path));
  const uint32_t type = bits & vfs::kModeTypeMask;
  const uint64_t number = type == vfs::kModeChar || type == vfs::kModeBlock ? uint32_t(device) : 0;
  return Done(vfs::MakeNode(argument.context(), argument.text,
                            type | (ApplyUmask(task, bits) & kPermissionBits), number));
}

SyscallResult sys_mknod(Task& task, UserCString path, FileMode mode, DeviceNumber device) {
  return sys_mknodat(task, Fd{kAtFdCwd}, path, mode, device);
}

SyscallResult sys_unlinkat(Task& task, Fd directory, UserCString path, AtFlags flags) {
  if (!HasOnly(flags, AtFlags::kRemoveDirectory)) return Errno::kEINVAL;
  const auto argument = TRY(ReadPathArgument(task, directory, path));
  if (HasAny(flags, AtFlags::kRemoveDirectory))
    return Done(vfs::RemoveDirectory(argument.context(), argument.text));
  return Done(vfs::Unlink(argument.context(), argument.text));
}

SyscallResult sys_unlink(Task& task, UserCString path) {
  return sys_unlinkat(task, Fd{kAtFdCwd}, path, AtFlags::kNone);
}

SyscallResult sys_rmdir(Task& task, UserCString path) {
  return sys_unlinkat(task, Fd{kAtFdCwd}, path, AtFlags::kRemoveDirectory);
}

SyscallResult sys_symlinkat(Task& task, UserCString target, Fd directory, UserCString path) {
  const String text = TRY(task.memory().ReadPath(target));
  if (text.empty()) return Errno::kENOENT;
  const auto argument = TRY(ReadPathArgument(task, directory, path));
  return Done(vfs::MakeSymlink(argument.context(), text, argument.text));
}

SyscallResult sys_symlink(Task& task, UserCString target, UserCString path) {
  return sys_symlinkat(task, target, Fd{kAtFdCwd}, path);
}

SyscallResult sys_linkat(Task& task, Fd old_directory, UserCString old_path, Fd new_directory,
                         UserCString new_path, AtFlags flags) {
  if (!HasOnly(flags, AtFlags::kSymlinkFollow | AtFlags::kEmptyPath)) return Errno::kEINVAL;
  const bool empty = HasAny(flags, AtFlags::kEmptyPath);
  const auto from = TRY(ReadPathArgument(task, old_directory, old_path, empty));
  // open(2): naming a file by its descriptor alone could get round the search permission of the
  // directories above it.
  if (from.text.empty() && !from.base.credentials->Has(vfs::Capability::kDacReadSearch))
    return Errno::kENOENT;
  const auto to = TRY(ReadPathArgument(task, new_directory, new_path));
  auto walk = empty ? vfs::WalkFlags::kEmptyPath : vfs::WalkFlags::kNone;
  if (!HasAny(flags, AtFlags::kSymlinkFollow)) walk |= vfs::WalkFlags::kNoFollow;
  return Done(vfs::MakeLink(from.context(), from.text, to.context(), to.text, walk));
}

SyscallResult sys_link(Task& task, UserCString old_path, UserCString new_path) {
  return sys_linkat(task, Fd{kAtFdCwd}, old_path, Fd{kAtFdCwd}, new_path, AtFlags::kNone);
}

SyscallResult sys_renameat2(Task& task, Fd old_directory, UserCString old_path, Fd new_directory,
                            UserCString new_path, RenameFlags flags) {
  using enum RenameFlags;
  if (!HasOnly(flags, kNoReplace | kExchange | kWhiteout)) return Errno::kEINVAL;
  if (HasAny(flags, kExchange) && HasAny(flags, kNoReplace | kWhiteout)) return Errno::kEINVAL;
  const auto from = TRY(ReadPathArgument(task, old_directory, old_path));
  const auto to = TRY(ReadPathArgument(task, new_directory, new_path));
  if (HasAny(flags, kWhiteout) && !from.base.credentials->Has(vfs::Capability::kMknod))
    return Errno::kEPERM;
  return Done(vfs::Rename(from.context(), from.text, to.context(), to.text, uint32_t(flags)));
}

SyscallResult sys_renameat(Task& task, Fd old_directory, UserCString old_path, Fd new_directory,
                           UserCString new_path) {
  return sys_renameat2(task, old_directory, old_path, new_directory, new_path, RenameFlags{});
}

SyscallResult sys_rename(Task& task, UserCString old_path, UserCString new_path) {
  return sys_renameat2(task, Fd{kAtFdCwd}, old_path, Fd{kAtFdCwd}, new_path, RenameFlags{});
}

SyscallResult sys_readlinkat(Task& task, Fd directory, UserCString path, UserPtr<char> buffer,
                             int32_t size) {
  if (size <= 0) return Errno::kEINVAL;
  const auto argument = TRY(ReadPathArgument(task, directory, path, true));
  const bool empty = argument.text.empty();
  const auto place =
      empty ? argument.context().base
            : TRY(vfs::Walk(argument.context(), argument.text, vfs::WalkFlags::kNoFollow));
  const auto vnode = place.vnode();
  if (!vnode) return Errno::kENOENT;
  if (vnode->type() != vfs::VnodeType::kSymlink) return empty ? Errno::kENOENT : Errno::kEINVAL;
  const String target = TRY(vnode->ReadLink());
  const auto text = target.view().substr(0, size_t(size));
  TRY(task.memory().WriteArray(buffer, std::span<const char>(text.data(), text.size())));
  return text.size();
}

SyscallResult sys_readlink(Task& task, UserCString path, UserPtr<char> buffer, int32_t size) {
  return sys_readlinkat(task, Fd{kAtFdCwd}, path, buffer, size);
}

SyscallResult sys_getcwd(Task& task, UserPtr<char> buffer, uint64_t size) {
  const auto cwd = task.fs().cwd();
  if (cwd.dentry->is_unlinked()) return Errno::kENOENT;
  String name = TRY(vfs::NameOf(cwd, task.fs().root(), task.fs().mounts()));
  TRY(name.Append(std::string_view("\0", 1)));
  if (name.size() > 4096) return Errno::kENAMETOOLONG;
  if (name.size() > size) return Errno::kERANGE;
  TRY(task.memory().WriteArray(buffer, std::span<const char>(name.data(), name.size())));
  return name.size();
}

SyscallResult sys_chdir(Task& task, UserCString path) {
  task.fs().SetCwd(TRY(SearchableDirectory(task, path)));
  return 0;
}

SyscallResult sys_fchdir(Task& task, Fd fd) {
  const auto file = TRY(task.fds().Get(fd, Rights::kNone, true));
  const auto vnode = file->path().vnode();
  if (!vnode || vnode->type() != vfs::VnodeType::kDirectory) return Errno::kENOTDIR;
  TRY(vfs::CheckAccess(*task.credentials(), file->path(), uint32_t(AccessMask::kExecute)));
  task.fs().SetCwd(file->path());
  return 0;
}

SyscallResult sys_chroot(Task& task, UserCString path) {
  auto place = TRY(SearchableDirectory(task, path));
  if (!task.credentials()->Has(vfs::Capability::kSysChroot)) return Errno::kEPERM;
  task.fs().SetRoot(std::move(place));
  return 0;
}

SyscallResult sys_umask(Task& task, FileMode mask) {
  return task.fs().ExchangeUmask(uint32_t(mask));
}

}  // namespace zrun::compat
