#include "vfs/namei.h"

#include "vfs/namei_internal.h"
#include "vfs/notify.h"

namespace zrun::vfs {
namespace {

constexpr uint32_t kNoReplace = 1, kExchange = 2, kWhiteout = 4;

enum class LastKind : uint8_t { kName, kDot, kDotDot, kRoot };
LastKind KindOf(std::string_view last) {
  if (last.empty()) return LastKind::kRoot;
  if (last == ".") return LastKind::kDot;
  if (last == "..") return LastKind::kDotDot;
  return LastKind::kName;
}

bool IsDirectory(const Dentry& dentry) { return dentry.vnode()->type() == VnodeType::kDirectory; }

// The child |name|, or null where there is none; mounts are not crossed.
Result<RefPtr<Dentry>> LookupName(const Path& parent, std::string_view name) {
  auto found = parent.dentry->Lookup(name);
  if (!found.ok()) {
    if (found.error() == Errno::kENOENT) return RefPtr<Dentry>();
    return found.error();
  }
  if (!found.value()->vnode()) return RefPtr<Dentry>();
  return found;
}

// Walks to the place where a new name is to be made; EEXIST if it is there, and the errors of
// creating. |directory|: a trailing slash is fine.
struct NewName {
  Path parent;
  std::string_view name;
  NewFileOwner owner;
};
Result<NewName> PrepareCreate(const WalkContext& context, Walker& walker, std::string_view path,
                              uint32_t mode, bool directory) {
  TRY(walker.Start(path));
  TRY(walker.ToLast());
  if (KindOf(walker.last()) != LastKind::kName) return Errno::kEEXIST;
  const Path& place = walker.place();
  if (TRY(LookupName(place, walker.last()))) return Errno::kEEXIST;
  if (walker.trailing_slash() && !directory) return Errno::kENOENT;
  TRY(CheckWritableMount(place));
  if (place.dentry->is_unlinked()) return Errno::kENOENT;
  const Ownership ownership = TRY(CheckDirectoryWrite(context.credentials, *place.dentry->vnode()));
  return NewName{place, walker.last(), OwnerOfNewFile(context.credentials, ownership, mode)};
}

// may_delete: whether |victim| may be taken out of |parent|.
Result<void> CheckDelete(const Credentials& credentials, const Path& parent, const Dentry& victim,
                         bool as_directory) {
  const Ownership ownership = TRY(CheckDirectoryWrite(credentials, *parent.dentry->vnode()));
  TRY(CheckSticky(credentials, ownership, *victim.vnode()));
  if (parent.dentry->vnode()->is_append_only()) return Errno::kEPERM;
  TRY(CheckChangeable(*victim.vnode()));
  if (as_directory && !IsDirectory(victim)) return Errno::kENOTDIR;
  if (!as_directory && IsDirectory(victim)) return Errno::kEISDIR;
  return {};
}

Result<void> RemoveName(const WalkContext& context, const Walker& walker, bool directory) {
  const Path& place = walker.place();
  RefPtr<Dentry> victim = TRY(LookupName(place, walker.last()));
  if (!victim) return Errno::kENOENT;
  if (!directory && walker.trailing_slash())
    return IsDirectory(*victim) ? Errno::kEISDIR : Errno::kENOTDIR;
  TRY(CheckDelete(context.credentials, place, *victim, directory));
  TRY(place.dentry->Unlink(walker.last(), *victim, directory));
  if (!directory) NotifyVnode(*victim->vnode(), NotifyEvent::kAttrib);  // its count of links
  victim = nullptr;  // the last to use it: what it names goes before its name
  NotifyVnode(*place.dentry->vnode(),
              directory ? NotifyEvent::kDelete | NotifyEvent::kIsDirectory : NotifyEvent::kDelete,
              walker.last());
  return {};
}

// protected_hardlinks: what one may not write, one may not link to.
Result<void> CheckLinkSource(const Credentials& credentials, Vnode& vnode) {
  const Ownership ownership = TRY(vnode.GetOwnership());
  if (IsOwnerOrCapable(credentials, ownership)) return {};
  const bool special = vnode.type() != VnodeType::kRegular || (ownership.mode & kModeSetUid) ||
                       (ownership.mode & (kModeSetGid | 0010)) == (kModeSetGid | 0010);
  if (special || !CheckMode(credentials, ownership, kMayRead | kMayWrite).ok())
    return Errno::kEPERM;
  return {};
}

// Whether |vnode| is |place| or above it.
bool IsAncestor(const Vnode& vnode, const RefPtr<Dentry>& place) {
  for (RefPtr<Dentry> each = place;; each = each->parent()) {
    if (each->vnode().get() == &vnode) return true;
    if (each->is_root() || each->is_detached()) return false;
  }
}

struct RenameSide {
  Path parent;
  std::string_view name;
  bool trailing_slash;
};

Result<void> RenameOnce(const Credentials& credentials, const RenameSide& from,
                        const RenameSide& to, uint32_t flags) {
  const RefPtr<Dentry> moved = TRY(LookupName(from.parent, from.name));
  if (!moved) return Errno::kENOENT;
  const RefPtr<Dentry> victim = TRY(LookupName(to.parent, to.name));
  if (victim && (flags & kNoReplace)) return Errno::kEEXIST;
  if (flags & kExchange) {
    if (!victim) return Errno::kENOENT;
    if (to.trailing_slash && !IsDirectory(*victim)) return Errno::kENOTDIR;
  }
  const bool is_directory = IsDirectory(*moved);
  if (!is_directory && (from.trailing_slash || (to.trailing_slash && !(flags & kExchange))))
    return Errno::kENOTDIR;
  if (is_directory && IsAncestor(*moved->vnode(), to.parent.dentry)) return Errno::kEINVAL;
  if (victim && IsDirectory(*victim) && IsAncestor(*victim->vnode(), from.parent.dentry))
    return flags & kExchange ? Errno::kEINVAL : Errno::kENOTEMPTY;
  if (victim && victim->vnode() == moved->vnode()) return {};

  TRY(CheckDelete(credentials, from.parent, *moved, is_directory));
  if (!victim) {
    if (to.parent.dentry->is_unlinked()) return Errno::kENOENT;
    TRY(CheckDirectoryWrite(credentials, *to.parent.dentry->vnode()));
  } else {
    TRY(CheckDelete(credentials, to.parent, *victim,
                    flags & kExchange ? IsDirectory(*victim) : is_directory));
  }
  // ".." of a directory that moves is written.
  if (from.parent.dentry != to.parent.dentry) {
    if (is_directory) TRY(CheckMode(credentials, *moved->vnode(), kMayWrite));
    if ((flags & kExchange) && IsDirectory(*victim))
      TRY(CheckMode(credentials, *victim->vnode(), kMayWrite));
  }
  TRY(Dentry::Rename(*from.parent.dentry, from.name, *moved, *to.parent.dentry, to.name,
                     victim.get(), flags));

  const uint32_t cookie = NextNotifyCookie();
  const NotifyEvent kind = is_directory ? NotifyEvent::kIsDirectory : NotifyEvent{};
  NotifyVnode(*from.parent.dentry->vnode(), NotifyEvent::kMovedFrom | kind, from.name, cookie);
  NotifyVnode(*to.parent.dentry->vnode(), NotifyEvent::kMovedTo | kind, to.name, cookie);
  if (from.parent.dentry == to.parent.dentry)
    NotifyVnode(*to.parent.dentry->vnode(), NotifyEvent::kRenamed | kind, to.name);
  if (victim && !(flags & kExchange)) NotifyVnode(*victim->vnode(), NotifyEvent::kAttrib);
  NotifyVnode(*moved->vnode(), NotifyEvent::kMoveSelf);
  return {};
}

}  // namespace

Result<Path> Walk(const WalkContext& context, std::string_view path, WalkFlags flags) {
  Walker walker(context, flags);
  TRY(walker.Start(path));
  for (;;) {
    TRY(walker.ToLast());
    Path found = TRY(walker.LookupLast());
    const RefPtr<Vnode>& vnode = found.dentry->vnode();
    if (!vnode) return Errno::kENOENT;
    if (vnode->type() == VnodeType::kSymlink && !walker.last().empty() && walker.follows_last()) {
      TRY(walker.FollowLink(found, true));
      continue;
    }
    if ((walker.needs_directory() || HasAny(flags, WalkFlags::kDirectory)) &&
        vnode->type() != VnodeType::kDirectory)
      return Errno::kENOTDIR;
    return found;
  }
}

Result<ParentAndName> WalkParent(const WalkContext& context, std::string_view path, WalkFlags flags,
                                 String&) {
  Walker walker(context, flags);
  TRY(walker.Start(path));
  TRY(walker.ToLast());
  // A link at the end was not followed, so the name is part of |path|.
  const std::string_view name = walker.last().empty() ? std::string_view(".") : walker.last();
  const bool trailing_slash = walker.trailing_slash();
  return ParentAndName{walker.TakePlace(), name, trailing_slash};
}

Result<void> MakeNode(const WalkContext& context, std::string_view path, uint32_t mode,
                      uint64_t rdev) {
  if ((mode & kModeTypeMask) == 0) mode |= kModeRegular;
  switch (mode & kModeTypeMask) {
    case kModeRegular:
    case kModeFifo:
    case kModeSocket:
      rdev = 0;
      break;
    case kModeChar:
    case kModeBlock:
      break;
    case kModeDirectory:
      return Errno::kEPERM;
    default:
      return Errno::kEINVAL;
  }
  Walker walker(context, WalkFlags::kNone);
  const NewName made =
      TRY(PrepareCreate(context, walker, path, mode & (kModeTypeMask | 07777), false));
  const bool is_device =
      (mode & kModeTypeMask) == kModeChar || (mode & kModeTypeMask) == kModeBlock;
  const bool is_whiteout = (mode & kModeTypeMask) == kModeChar && rdev == 0;
  if (is_device && !is_whiteout && !context.credentials.Has(Capability::kMknod))
    return Errno::kEPERM;
  TRY(made.parent.dentry->Create(made.name, made.owner.mode, rdev, made.owner.uid, made.owner.gid,
                                 true));
  NotifyVnode(*made.parent.dentry->vnode(), NotifyEvent::kCreate, made.name);
  return {};
}

Result<void> MakeDirectory(const WalkContext& context, std::string_view path, uint32_t mode) {
  Walker walker(context, WalkFlags::kNone);
  const NewName made = TRY(
      PrepareCreate(context, walker, path, (mode & (0777 | kModeSticky)) | kModeDirectory, true));
  TRY(made.parent.dentry->Create(made.name, made.owner.mode, 0, made.owner.uid, made.owner.gid,
                                 true));
  NotifyVnode(*made.parent.dentry->vnode(), NotifyEvent::kCreate | NotifyEvent::kIsDirectory,
              made.name);
  return {};
}

Result<void> MakeSymlink(const WalkContext& context, std::string_view target,
                         std::string_view path) {
  if (target.empty()) return Errno::kENOENT;
  if (target.size() >= 4096) return Errno::kENAMETOOLONG;
  Walker walker(context, WalkFlags::kNone);
  const NewName made = TRY(PrepareCreate(context, walker, path, kModeSymlink | 0777, false));
  TRY(made.parent.dentry->Symlink(made.name, target, made.owner.uid, made.owner.gid));
  NotifyVnode(*made.parent.dentry->vnode(), NotifyEvent::kCreate, made.name);
  return {};
}

Result<void> MakeLink(const WalkContext& from, std::string_view old_path, const WalkContext& to,
                      std::string_view new_path, WalkFlags flags) {
  if (old_path.empty() && HasAny(flags, WalkFlags::kEmptyPath) &&
      !from.credentials.Has(Capability::kDacReadSearch))
    return Errno::kENOENT;
  const Path old = TRY(Walk(from, old_path, flags));
  Walker walker(to, WalkFlags::kNone);
  TRY(walker.Start(new_path));
  TRY(walker.ToLast());
  if (KindOf(walker.last()) != LastKind::kName) return Errno::kEEXIST;
  const Path& place = walker.place();
  if (TRY(LookupName(place, walker.last()))) return Errno::kEEXIST;
  if (walker.trailing_slash()) return Errno::kENOENT;
  TRY(CheckWritableMount(place));
  if (old.mount != place.mount) return Errno::kEXDEV;
  Vnode& target = *old.dentry->vnode();
  TRY(CheckLinkSource(to.credentials, target));
  Vnode& directory = *place.dentry->vnode();
  TRY(CheckDirectoryWrite(to.credentials, directory));
  if (target.type() == VnodeType::kDirectory) return Errno::kEPERM;
  TRY(CheckChangeable(target));
  if (&old.dentry->file_system() != &place.dentry->file_system()) return Errno::kEXDEV;
  if (old.dentry->is_unlinked() && !target.is_linkable() && TRY(target.GetAttributes()).links == 0)
    return Errno::kENOENT;
  TRY(place.dentry->Link(walker.last(), target));
  NotifyVnode(target, NotifyEvent::kAttrib);
  NotifyVnode(directory, NotifyEvent::kCreate, walker.last());
  return {};
}

Result<void> Unlink(const WalkContext& context, std::string_view path) {
  Walker walker(context, WalkFlags::kNone);
  TRY(walker.Start(path));
  TRY(walker.ToLast());
  if (KindOf(walker.last()) != LastKind::kName) return Errno::kEISDIR;
  TRY(CheckWritableMount(walker.place()));
  return RetryStale([&] { return RemoveName(context, walker, false); });
}

Result<void> RemoveDirectory(const WalkContext& context, std::string_view path) {
  Walker walker(context, WalkFlags::kNone);
  TRY(walker.Start(path));
  TRY(walker.ToLast());
  switch (KindOf(walker.last())) {
    case LastKind::kDotDot:
      return Errno::kENOTEMPTY;
    case LastKind::kDot:
      return Errno::kEINVAL;
    case LastKind::kRoot:
      return Errno::kEBUSY;
    case LastKind::kName:
      break;
  }
  TRY(CheckWritableMount(walker.place()));
  return RetryStale([&] { return RemoveName(context, walker, true); });
}

Result<void> Rename(const WalkContext& from, std::string_view old_path, const WalkContext& to,
                    std::string_view new_path, uint32_t flags) {
  if (flags & ~(kNoReplace | kExchange | kWhiteout)) return Errno::kEINVAL;
  if ((flags & kExchange) && (flags & (kNoReplace | kWhiteout))) return Errno::kEINVAL;
  Walker old_walker(from, WalkFlags::kNone), new_walker(to, WalkFlags::kNone);
  TRY(old_walker.Start(old_path));
  TRY(old_walker.ToLast());
  TRY(new_walker.Start(new_path));
  TRY(new_walker.ToLast());
  const RenameSide old_side{old_walker.place(), old_walker.last(), old_walker.trailing_slash()};
  const RenameSide new_side{new_walker.place(), new_walker.last(), new_walker.trailing_slash()};
  if (old_side.parent.mount != new_side.parent.mount) return Errno::kEXDEV;
  if (KindOf(old_side.name) != LastKind::kName) return Errno::kEBUSY;
  if (KindOf(new_side.name) != LastKind::kName)
    return flags & kNoReplace ? Errno::kEEXIST : Errno::kEBUSY;
  TRY(CheckWritableMount(old_side.parent));
  const bool same_directory = old_side.parent.dentry == new_side.parent.dentry;
  FileSystem& file_system = old_side.parent.dentry->file_system();
  if (&file_system != &new_side.parent.dentry->file_system()) return Errno::kEXDEV;
  if ((flags & kWhiteout) && !from.credentials.Has(Capability::kMknod)) return Errno::kEPERM;
  return RetryStale([&]() -> Result<void> {
    if (same_directory) return RenameOnce(from.credentials, old_side, new_side, flags);
    MutexLock lock(file_system.rename_lock());
    return RenameOnce(from.credentials, old_side, new_side, flags);
  });
}

}  // namespace zrun::vfs
