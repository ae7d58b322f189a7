#include "objects/task/call_time.h"
#include "vfs/leases.h"
#include "vfs/namei_internal.h"
#include "vfs/notify.h"

// stat, access, chmod, chown, utimensat, truncate.
namespace zrun::vfs {

namespace {

// Other contents or another owner: what the file was trusted with does not hold for them.
Result<void> RemoveFileCapabilities(Vnode& vnode) {
  constexpr std::string_view kName = "security.capability";
  if (vnode.type() == VnodeType::kDirectory || !vnode.GetXattr(kName, {}).ok()) return {};
  const auto removed = vnode.RemoveXattr(kName);
  if (!removed.ok() && removed.error() != Errno::kENODATA) return removed.error();
  return {};
}

}  // namespace

Result<void> RemovePrivileges(Vnode& vnode, bool keeps_set_id) {
  TRY(RemoveFileCapabilities(vnode));
  if (keeps_set_id) return {};
  const Ownership ownership = TRY(vnode.GetOwnership());
  const uint32_t mode = WithoutSetIdBits(ownership.mode);
  if (mode == ownership.mode) return {};
  AttributeChange change;
  change.valid = AttributeChange::kMode;
  change.mode = mode & 07777;
  return vnode.SetAttributes(change);
}

namespace {
Result<void> TruncateCounted(const Credentials& credentials, Vnode& vnode, uint64_t size) {
  auto truncated = vnode.Truncate(size);
  if (truncated.ok()) truncated = RemovePrivileges(vnode, credentials.Has(Capability::kFsetid));
  vnode.RemoveWriter();
  return truncated;
}
}  // namespace

Result<void> TruncateAsWriter(const Credentials& credentials, Vnode& vnode, uint64_t size) {
  if (!vnode.AddWriter()) return Errno::kETXTBSY;
  return TruncateCounted(credentials, vnode, size);
}

Result<void> CheckAccess(const Credentials& credentials, const Path& path, uint32_t mask) {
  Vnode& vnode = *path.dentry->vnode();
  const VnodeType type = vnode.type();
  const bool is_stored =
      type == VnodeType::kRegular || type == VnodeType::kDirectory || type == VnodeType::kSymlink;
  if ((mask & kMayWrite) && is_stored && path.dentry->file_system().is_read_only())
    return Errno::kEROFS;
  if ((mask & kMayExecute) && type == VnodeType::kRegular &&
      HasAny(MountFlagsOf(path), MountFlags::kNoExec))
    return Errno::kEACCES;
  TRY(CheckMode(credentials, vnode, mask & 7));
  if ((mask & kMayWrite) && is_stored) return CheckWritableMount(path);
  return {};
}

Result<void> ChangeMode(const Credentials& credentials, const Path& path, uint32_t mode) {
  TRY(CheckWritableMount(path));
  Vnode& vnode = *path.dentry->vnode();
  if (vnode.type() == VnodeType::kSymlink) return Errno::kEOPNOTSUPP;
  const Ownership ownership = TRY(vnode.GetOwnership());
  if (!IsOwnerOrCapable(credentials, ownership)) return Errno::kEPERM;
  TRY(CheckChangeable(vnode));
  AttributeChange change;
  change.valid = AttributeChange::kMode;
  change.mode = mode & 07777;
  if (!credentials.InGroup(ownership.gid) && !credentials.Has(Capability::kFsetid))
    change.mode &= ~kModeSetGid;
  TRY(vnode.SetAttributes(change));
  NotifyFile(path, NotifyEvent::kAttrib);
  return {};
}

Result<void> ChangeOwner(const Credentials& credentials, const Path& path, uint32_t uid,
                         uint32_t gid) {
  constexpr uint32_t kKeep = ~0u;
  TRY(CheckWritableMount(path));
  Vnode& vnode = *path.dentry->vnode();
  const Ownership ownership = TRY(vnode.GetOwnership());
  TRY(CheckChangeable(vnode));
  if (!credentials.Has(Capability::kChown)) {
    const bool is_owner = credentials.fsuid == ownership.uid;
    if (uid != kKeep && (!is_owner || uid != ownership.uid)) return Errno::kEPERM;
    if (gid != kKeep && (!is_owner || (gid != ownership.gid && !credentials.InGroup(gid))))
      return Errno::kEPERM;
  }
  AttributeChange change;
  if (uid != kKeep) {
    change.valid |= AttributeChange::kUid;
    change.uid = uid;
  }
  if (gid != kKeep) {
    change.valid |= AttributeChange::kGid;
    change.gid = gid;
  }
  if (vnode.type() != VnodeType::kDirectory) {
    const uint32_t mode = WithoutSetIdBits(ownership.mode);
    if (mode != ownership.mode) {
      change.valid |= AttributeChange::kMode;
      change.mode = mode & 07777;
    }
  }
  TRY(RemoveFileCapabilities(vnode));
  TRY(vnode.SetAttributes(change));
  NotifyFile(path, NotifyEvent::kAttrib);
  return {};
}

Result<void> ChangeTimes(const Credentials& credentials, const Path& path, TimeChange atime,
                         TimeChange mtime) {
  using Kind = TimeChange::Kind;
  if (atime.kind == Kind::kOmit && mtime.kind == Kind::kOmit) return {};
  TRY(CheckWritableMount(path));
  Vnode& vnode = *path.dentry->vnode();
  const Ownership ownership = TRY(vnode.GetOwnership());
  const bool to_now = atime.kind == Kind::kNow && mtime.kind == Kind::kNow;
  if (vnode.is_immutable() || (vnode.is_append_only() && !to_now)) return Errno::kEPERM;
  if (!IsOwnerOrCapable(credentials, ownership)) {
    // utimensat(2): who may write may set both to now, and nothing else.
    if (!to_now) return Errno::kEPERM;
    TRY(CheckMode(credentials, ownership, kMayWrite));
  }
  const hal::Nanoseconds now = CallTime::Now();
  AttributeChange change;
  if (atime.kind != Kind::kOmit) {
    change.valid |= AttributeChange::kAtime;
    change.atime = atime.kind == Kind::kNow ? now : atime.value;
  }
  if (mtime.kind != Kind::kOmit) {
    change.valid |= AttributeChange::kMtime;
    change.mtime = mtime.kind == Kind::kNow ? now : mtime.value;
  }
  TRY(vnode.SetAttributes(change));
  // One time alone is taken for what changes it: a read, or a write.
  NotifyFile(path, mtime.kind == Kind::kOmit   ? NotifyEvent::kAccess
                   : atime.kind == Kind::kOmit ? NotifyEvent::kModify
                                               : NotifyEvent::kAttrib);
  return {};
}

Result<void> TruncatePath(const Credentials& credentials, const Path& path, uint64_t size,
                          RefPtr<LeaseWait>& wait) {
  Vnode& vnode = *path.dentry->vnode();
  if (vnode.type() == VnodeType::kDirectory) return Errno::kEISDIR;
  if (vnode.type() != VnodeType::kRegular) return Errno::kEINVAL;
  TRY(CheckWritableMount(path));
  TRY(CheckMode(credentials, vnode, kMayWrite));
  if (vnode.is_append_only()) return Errno::kEPERM;
  if (!vnode.AddWriter()) return Errno::kETXTBSY;
  auto blocked = BreakLeases(vnode, true, true);
  if (!blocked.ok()) vnode.RemoveWriter();
  wait = TRY(std::move(blocked));
  if (wait) {
    wait->KeepWriter(path.vnode());
    return Errno::kEAGAIN;
  }
  TRY(TruncateCounted(credentials, vnode, size));
  NotifyFile(path, NotifyEvent::kModify);
  return {};
}

Result<Attributes> Stat(const Path& path) {
  Attributes attributes = TRY(path.dentry->vnode()->GetAttributes());
  if (attributes.device == 0) attributes.device = path.dentry->file_system().device();
  return attributes;
}

}  // namespace zrun::vfs
