#include "base/text.h"
#include "vfs/leases.h"
#include "vfs/namei_internal.h"
#include "vfs/notify.h"
#include "vfs/vnode_file.h"

// open(2).
namespace zrun::vfs {
namespace {

// O_NOCTTY goes on to the terminal that is opened.
constexpr OpenFlags kCreationFlags =
    OpenFlags::kCreate | OpenFlags::kExclusive | OpenFlags::kTruncate;

uint32_t AccessMask(OpenFlags flags) {
  uint32_t mask = 0;
  switch (uint32_t(flags & OpenFlags::kAccessMode)) {
    case 0:
      mask = kMayRead;
      break;
    case 1:
      mask = kMayWrite;
      break;
    default:  // 3 is asked for by old programs: ioctl only, checked as both
      mask = kMayRead | kMayWrite;
  }
  if (HasAny(flags, OpenFlags::kTruncate)) mask |= kMayWrite;
  return mask;
}

// What kind of file it is, before any permission is looked at.
Result<void> CheckType(Vnode& vnode, OpenFlags flags) {
  switch (vnode.type()) {
    case VnodeType::kSymlink:
      return HasAny(flags, OpenFlags::kDirectory) ? Errno::kENOTDIR : Errno::kELOOP;
    case VnodeType::kDirectory:
      if (HasAny(flags, OpenFlags::kCreate) || (AccessMask(flags) & kMayWrite))
        return Errno::kEISDIR;
      return {};
    default:
      if (HasAny(flags, OpenFlags::kDirectory)) return Errno::kENOTDIR;
      return {};
  }
}

// sysctl fs.protected_regular and protected_fifos: in a sticky directory that all may write,
// O_CREAT does not open what someone else put there.
Result<void> CheckProtected(const Credentials& credentials, Vnode& vnode, Vnode& parent) {
  if (vnode.type() != VnodeType::kRegular && vnode.type() != VnodeType::kFifo) return {};
  const Ownership directory = TRY(parent.GetOwnership());
  if (!(directory.mode & kModeSticky) || !(directory.mode & 0002)) return {};
  const Ownership owner = TRY(vnode.GetOwnership());
  if (owner.uid == directory.uid || owner.uid == credentials.fsuid) return {};
  return Errno::kEACCES;
}

// What others' leases have to say to the opening of |file|.
Result<void> AwaitLeases(Vnode& vnode, const RefPtr<FileDescription>& file, OpenFlags flags,
                         RefPtr<LeaseWait>* wait) {
  const bool for_writing = HasAny(flags, OpenFlags::kAccessMode);
  const bool waits = wait && !HasAny(flags, OpenFlags::kNonBlock);
  RefPtr<LeaseWait> blocked = TRY(BreakLeases(vnode, for_writing, waits));
  if (!blocked) return {};
  blocked->Keep(file);
  *wait = std::move(blocked);
  return Errno::kEAGAIN;
}

Result<RefPtr<FileDescription>> OpenFound(const WalkContext& context, const Path& path,
                                          OpenFlags flags, bool fresh, RefPtr<LeaseWait>* wait) {
  Vnode& vnode = *path.dentry->vnode();
  TRY(CheckType(vnode, fresh ? flags & ~OpenFlags::kCreate : flags));
  const uint32_t mask = AccessMask(flags);
  const bool is_plain =
      vnode.type() == VnodeType::kRegular || vnode.type() == VnodeType::kDirectory;
  if (is_plain && (mask & kMayWrite)) TRY(CheckWritableMount(path));
  if (!fresh) TRY(CheckMode(context.credentials, vnode, mask));
  if (vnode.type() == VnodeType::kSocket) return Errno::kENXIO;
  if ((vnode.type() == VnodeType::kCharDevice || vnode.type() == VnodeType::kBlockDevice) &&
      HasAny(MountFlagsOf(path), MountFlags::kNoDev))
    return Errno::kEACCES;
  if (vnode.is_append_only() && (mask & kMayWrite) &&
      (!HasAny(flags, OpenFlags::kAppend) || HasAny(flags, OpenFlags::kTruncate)))
    return Errno::kEPERM;
  if (HasAny(flags, OpenFlags::kNoAtime) &&
      !IsOwnerOrCapable(context.credentials, TRY(vnode.GetOwnership())))
    return Errno::kEPERM;
  const bool truncates =
      HasAny(flags, OpenFlags::kTruncate) && !fresh && vnode.type() == VnodeType::kRegular;
  // No file system has direct input and output for directories.
  if (HasAny(flags, OpenFlags::kDirect) && vnode.type() == VnodeType::kDirectory)
    return Errno::kEINVAL;
  auto file = TRY(vnode.Open(path, flags & ~kCreationFlags));
  if (vnode.type() == VnodeType::kRegular) TRY(AwaitLeases(vnode, file, flags, wait));
  if (truncates) TRY(TruncateAsWriter(context.credentials, vnode, 0));
  if (is_plain && (mask & kMayWrite) && context.credentials.Has(Capability::kFsetid))
    file->AllowKeepingSetId();
  NotifyFile(path, NotifyEvent::kOpen);
  file->NoteOpened();
  if (truncates) NotifyFile(path, NotifyEvent::kModify);
  return file;
}

Result<RefPtr<FileDescription>> OpenUnnamed(const WalkContext& context, const Path& directory,
                                            const OpenHow& how) {
  Vnode& parent = *directory.dentry->vnode();
  if (parent.type() != VnodeType::kDirectory) return Errno::kENOTDIR;
  TRY(CheckWritableMount(directory));
  const Ownership ownership = TRY(CheckDirectoryWrite(context.credentials, parent));
  const NewFileOwner owner =
      OwnerOfNewFile(context.credentials, ownership, (how.mode & 07777) | kModeRegular);
  auto vnode = TRY(parent.CreateUnnamed(owner.mode, owner.uid, owner.gid));
  if (!HasAny(how.flags, OpenFlags::kExclusive)) vnode->set_linkable();
  const TextBuffer<24> name("#", vnode->inode());
  auto dentry = TRY(directory.dentry->CreateUnlinked(vnode, name));
  const Path path{directory.mount, std::move(dentry)};
  return OpenFound(context, path, how.flags & ~(OpenFlags::kTmpFile | OpenFlags::kTruncate), true,
                   nullptr);
}

struct Target {
  Path path;
  bool fresh = false;
};

// The last component of an open with O_CREAT: found, or made.
Result<Target> FindOrCreate(const WalkContext& context, Walker& walker, const OpenHow& how) {
  const std::string_view name = walker.last();
  const bool exclusive = HasAny(how.flags, OpenFlags::kExclusive);
  if (walker.trailing_slash()) return Errno::kEISDIR;
  auto found = walker.LookupLast();
  if (!found.ok() && found.error() != Errno::kENOENT) return found.error();
  const bool special = name.empty() || name == "." || name == "..";
  if (found.ok() && found.value().dentry->vnode()) {
    if (exclusive) return Errno::kEEXIST;
    Vnode& vnode = *found.value().dentry->vnode();
    if (!special) TRY(CheckProtected(context.credentials, vnode, *walker.place().dentry->vnode()));
    return Target{std::move(found).value(), false};
  }
  const Path& place = walker.place();
  TRY(CheckWritableMount(place));
  Vnode& directory = *place.dentry->vnode();
  const Ownership ownership = TRY(CheckDirectoryWrite(context.credentials, directory));
  const NewFileOwner owner =
      OwnerOfNewFile(context.credentials, ownership, (how.mode & 07777) | kModeRegular);
  auto created =
      TRY(place.dentry->CreateOrFind(name, owner.mode, 0, owner.uid, owner.gid, exclusive));
  if (created.fresh) NotifyVnode(directory, NotifyEvent::kCreate, name);
  return Target{{place.mount, std::move(created.dentry)}, created.fresh};
}

}  // namespace

Result<RefPtr<FileDescription>> Open(const WalkContext& context, std::string_view path,
                                     const OpenHow& original, RefPtr<LeaseWait>* wait) {
  OpenHow how = original;
  if (HasAny(how.flags, OpenFlags::kPath)) {
    how.flags &=
        OpenFlags::kPath | OpenFlags::kDirectory | OpenFlags::kNoFollow | OpenFlags::kCloseOnExec;
  }
  const bool is_unnamed = HasAll(how.flags, OpenFlags::kTmpFile);
  const bool creates = HasAny(how.flags, OpenFlags::kCreate) && !is_unnamed;
  if (HasAny(how.flags, OpenFlags::kCreate) && HasAny(how.flags, OpenFlags::kDirectory))
    return Errno::kEINVAL;
  if (is_unnamed && !(AccessMask(how.flags & ~OpenFlags::kTruncate) & kMayWrite))
    return Errno::kEINVAL;

  WalkFlags walk_flags = how.resolve;
  if (HasAny(how.flags, OpenFlags::kNoFollow) ||
      (creates && HasAny(how.flags, OpenFlags::kExclusive)))
    walk_flags |= WalkFlags::kNoFollow;

  Walker walker(context, walk_flags);
  TRY(walker.Start(path));
  for (;;) {
    TRY(walker.ToLast());
    Target target;
    if (creates) {
      target = TRY(FindOrCreate(context, walker, how));
    } else {
      target.path = TRY(walker.LookupLast());
      if (!target.path.dentry->vnode()) return Errno::kENOENT;
    }
    const VnodeType type = target.path.dentry->vnode()->type();
    if (type == VnodeType::kSymlink && !walker.last().empty() && walker.follows_last()) {
      TRY(walker.FollowLink(target.path, true));
      continue;
    }
    if (walker.needs_directory() && type != VnodeType::kDirectory) return Errno::kENOTDIR;
    if (is_unnamed) return OpenUnnamed(context, target.path, how);
    if (HasAny(how.flags, OpenFlags::kPath)) {
      if (HasAny(how.flags, OpenFlags::kDirectory) && type != VnodeType::kDirectory)
        return Errno::kENOTDIR;
      return CreatePathFile(target.path, how.flags);
    }
    auto file = TRY(OpenFound(context, target.path, how.flags, target.fresh, wait));
    if (target.fresh) file->NoteCreated();
    return file;
  }
}

}  // namespace zrun::vfs
