// Mounts.
#include "vfs/mount.h"

#include <algorithm>

#include "compat/path_argument.h"
#include "compat/syscall_table.h"
#include "vfs/block_device.h"

namespace zrun::compat {
namespace {

using vfs::Mount;
using vfs::MountFlags;
using vfs::Path;
using vfs::WalkFlags;

constexpr size_t kDataMax = 4096;
constexpr uint64_t kMagic = 0xc0ed0000, kMagicMask = 0xffff0000;  // MS_MGC_VAL of old programs
constexpr MountBits kPropagation =
    MountBits::kShared | MountBits::kPrivate | MountBits::kSlave | MountBits::kUnbindable;

bool MayMount(Task& task) { return task.Has(vfs::Capability::kSysAdmin); }

Result<String> ReadOptional(Task& task, UserCString text) {
  if (text.address == 0) return String();
  return task.memory().ReadString(text, kDataMax);
}

MountFlags FlagsOf(MountBits bits) {
  constexpr uint32_t kKept =
      uint32_t(MountFlags::kReadOnly | MountFlags::kNoSuid | MountFlags::kNoDev |
               MountFlags::kNoExec | MountFlags::kNoAtime | MountFlags::kNoDirAtime);
  auto flags = MountFlags(uint32_t(bits) & kKept);
  if (HasAny(bits, MountBits::kStrictAtime)) {
    flags = flags & ~MountFlags::kNoAtime;
  } else if (!HasAny(bits, MountBits::kNoAtime)) {
    flags |= MountFlags::kRelAtime;
  }
  return flags;
}

bool IsMountRoot(const Path& path) { return path.mount && path.mount->root() == path.dentry; }

SyscallResult Remount(Task& task, const Path& where, MountBits bits) {
  if (!IsMountRoot(where)) return Errno::kEINVAL;
  where.mount->set_flags(FlagsOf(bits));
  task.fs().mounts().changes()->Tell();
  return 0;
}

// We have no peer groups, so every mount is private and stays so.
SyscallResult ChangePropagation(const Path& where, MountBits bits) {
  const uint64_t kinds = uint64_t(bits & kPropagation);
  if ((kinds & (kinds - 1)) != 0) return Errno::kEINVAL;
  if (!HasOnly(bits, kPropagation | MountBits::kRecursive | MountBits::kSilent))
    return Errno::kEINVAL;
  if (!IsMountRoot(where)) return Errno::kEINVAL;
  return 0;
}

bool IsBelow(RefPtr<vfs::Dentry> dentry, const RefPtr<vfs::Dentry>& ancestor) {
  for (;;) {
    if (dentry == ancestor) return true;
    if (dentry->is_root()) return false;
    dentry = dentry->parent();
  }
}

Result<RefPtr<Mount>> CloneMount(const Mount& mount, RefPtr<vfs::Dentry> root) {
  return Mount::Create(RefPtr<vfs::FileSystem>(&mount.file_system()), std::move(root),
                       mount.flags(), mount.source());
}

struct MountCopy {
  const Mount* original;
  RefPtr<Mount> copy;  // null: not below what is bound
};

// MS_BIND|MS_REC: what is mounted below |from| appears below its copy too. Mounts come in the order
// they were made, so a parent's copy is there before its children need it.
Result<void> BindBelow(Task& task, const Path& from, const RefPtr<Mount>& top) {
  vfs::MountNamespace& mounts = task.fs().mounts();
  const auto all = TRY(mounts.List());
  Vector<MountCopy> copies;
  TRY(copies.Reserve(all.size()));
  for (const auto& mount : all) TRY(copies.PushBack({mount.get(), nullptr}));
  const auto before = [](const MountCopy& a, const MountCopy& b) {
    return a.original < b.original;
  };
  std::sort(copies.begin(), copies.end(), before);
  const auto copy_of = [&](const Mount* mount) -> RefPtr<Mount>* {
    const auto found =
        std::lower_bound(copies.begin(), copies.end(), MountCopy{mount, nullptr}, before);
    return found != copies.end() && found->original == mount ? &found->copy : nullptr;
  };
  for (const auto& mount : all) {
    if (mount == top) continue;
    if (task.MustExit()) return Errno::kEINTR;  // there may be very many
    const Path place = mount->mount_point();
    if (!place) continue;
    const bool in_source = place.mount == from.mount;
    if (in_source && !IsBelow(place.dentry, from.dentry)) continue;
    RefPtr<Mount>* const parent = copy_of(place.mount.get());
    RefPtr<Mount> parent_copy = in_source ? top : parent ? *parent : nullptr;
    if (!parent_copy) continue;
    auto copy = TRY(CloneMount(*mount, mount->root()));
    TRY(mounts.Attach({std::move(parent_copy), place.dentry}, copy));
    *copy_of(mount.get()) = std::move(copy);
  }
  return {};
}

SyscallResult Bind(Task& task, const Path& where, UserCString source, MountBits bits) {
  const auto from = TRY(ResolvePath(task, Fd{kAtFdCwd}, source, WalkFlags::kNone));
  if (!from.mount) return Errno::kEINVAL;
  auto& mounts = task.fs().mounts();
  TRY(mounts.CheckAttached(*from.mount));
  auto mount = TRY(CloneMount(*from.mount, from.dentry));
  TRY(mounts.Attach(where, mount));
  if (!HasAny(bits, MountBits::kRecursive)) return 0;
  const auto bound = BindBelow(task, from, mount);
  if (bound.ok()) return 0;
  // All or nothing.
  static_cast<void>(mounts.Detach({mount, mount->root()}, true));
  return bound.error();
}

// The disk that a block special file names.
Result<unsigned> FindDisk(Task& task, UserCString source) {
  const auto path = TRY(ResolvePath(task, Fd{kAtFdCwd}, source, WalkFlags::kNone));
  if (!path.vnode() || path.vnode()->type() != vfs::VnodeType::kBlockDevice) return Errno::kENOTBLK;
  return vfs::DiskOf(TRY(path.vnode()->GetAttributes()).rdev);
}

SyscallResult MountNew(Task& task, const Path& where, UserCString source, UserCString type,
                       MountBits bits, std::string_view options) {
  if (type.address == 0) return Errno::kEINVAL;
  const String type_name = TRY(task.memory().ReadString(type, kDataMax));
  const String source_name = TRY(ReadOptional(task, source));
  const auto* file_system_type = vfs::FindFileSystemType(type_name);
  if (!file_system_type) return Errno::kENODEV;
  auto file_system = file_system_type->mount
                         ? TRY(file_system_type->mount(source_name, options))
                         : TRY(file_system_type->mount_disk(TRY(FindDisk(task, source))));
  const std::string_view shown = source_name.empty() ? "none" : source_name.view();
  auto mount = TRY(Mount::CreateFor(std::move(file_system), FlagsOf(bits), shown));
  TRY(task.fs().mounts().Attach(where, std::move(mount)));
  return 0;
}

}  // namespace

SyscallResult sys_mount(Task& task, UserCString source, UserCString target, UserCString type,
                        MountBits bits, UserCString data) {
  using enum MountBits;
  if ((uint64_t(bits) & kMagicMask) == kMagic) bits = MountBits(uint64_t(bits) & ~kMagicMask);
  const String options = TRY(ReadOptional(task, data));
  const auto where = TRY(ResolvePath(task, Fd{kAtFdCwd}, target, WalkFlags::kNone));
  if (!MayMount(task)) return Errno::kEPERM;
  if (HasAny(bits, kRemount)) return Remount(task, where, bits);
  // What comes and goes with a process is no place to mount upon.
  if (const auto vnode = where.vnode(); vnode && vnode->FollowMagicLink().ok())
    return Errno::kENOENT;
  if (HasAny(bits, kBind)) return Bind(task, where, source, bits);
  if (HasAny(bits, kPropagation)) return ChangePropagation(where, bits);
  if (HasAny(bits, kMove)) {
    const auto from = TRY(ResolvePath(task, Fd{kAtFdCwd}, source, WalkFlags::kNone));
    TRY(task.fs().mounts().Move(from, where));
    return 0;
  }
  return MountNew(task, where, source, type, bits, options);
}

SyscallResult sys_umount2(Task& task, UserCString target, UmountFlags flags) {
  using enum UmountFlags;
  if (!HasOnly(flags, kForce | kDetach | kExpire | UmountFlags::kNoFollow)) return Errno::kEINVAL;
  if (HasAny(flags, kExpire) && HasAny(flags, kForce | kDetach)) return Errno::kEINVAL;
  const auto walk = HasAny(flags, UmountFlags::kNoFollow) ? WalkFlags::kNoFollow : WalkFlags::kNone;
  auto where = TRY(ResolvePath(task, Fd{kAtFdCwd}, target, walk));
  if (!MayMount(task)) return Errno::kEPERM;
  if (!where.mount) return Errno::kEINVAL;
  // "." stays below what was mounted upon it later; meant is the topmost.
  where = task.fs().mounts().Descend(std::move(where));
  if (!IsMountRoot(where)) return Errno::kEINVAL;
  // The mark that a second MNT_EXPIRE looks for is never there: every look counts as use.
  if (HasAny(flags, kExpire)) return Errno::kEAGAIN;
  TRY(task.fs().mounts().Detach(where, HasAny(flags, kDetach)));
  return 0;
}

SyscallResult sys_pivot_root(Task& task, UserCString new_root, UserCString put_old) {
  if (!MayMount(task)) return Errno::kEPERM;
  const auto root = TRY(ResolvePath(task, Fd{kAtFdCwd}, new_root, WalkFlags::kDirectory));
  const auto old = TRY(ResolvePath(task, Fd{kAtFdCwd}, put_old, WalkFlags::kDirectory));
  const Path before = task.fs().root();
  TRY(task.fs().mounts().Pivot(root, old));
  // Processes whose root or working directory was the old root move to the new one.
  for (int32_t pid = 0;;) {
    RefPtr<ThreadGroup> group;
    {
      MutexLock lock(task.kernel().lock());
      pid = task.kernel().pids().NextGroup(pid);
      if (pid < 0) break;
      group = RefPtr<ThreadGroup>(task.kernel().pids().FindGroup(pid++));
    }
    const auto member = group->AnyTask();
    const auto fs = member ? member->ShareFs() : nullptr;
    if (!fs) continue;
    if (fs->root() == before) fs->SetRoot(root);
    if (fs->cwd() == before) fs->SetCwd(root);
  }
  return 0;
}

// There are no devices to swap to.
SyscallResult sys_swapon(Task& task, UserCString path, uint32_t flags) {
  static_cast<void>(path), static_cast<void>(flags);
  if (!MayMount(task)) return Errno::kEPERM;
  return Errno::kEINVAL;
}

SyscallResult sys_swapoff(Task& task, UserCString path) { return sys_swapon(task, path, 0); }

// File systems here have no lasting handles for files; callers fall back to names.
SyscallResult sys_name_to_handle_at(Task& task, Fd directory, UserCString path, UserAddr handle,
                                    UserAddr mount_id, AtFlags flags) {
  static_cast<void>(handle), static_cast<void>(mount_id);
  if (!HasOnly(flags, AtFlags::kSymlinkFollow | AtFlags::kEmptyPath)) return Errno::kEINVAL;
  const auto walk =
      HasAny(flags, AtFlags::kSymlinkFollow) ? WalkFlags::kNone : WalkFlags::kNoFollow;
  const auto empty = HasAny(flags, AtFlags::kEmptyPath) ? WalkFlags::kEmptyPath : WalkFlags::kNone;
  TRY(ResolvePath(task, directory, path, walk | empty));
  return Errno::kEOPNOTSUPP;
}

}  // namespace zrun::compat
