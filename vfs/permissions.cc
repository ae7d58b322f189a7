#include "vfs/permissions.h"

namespace zrun::vfs {

Result<void> CheckMode(const Credentials& credentials, const Ownership& ownership, uint32_t mask) {
  uint32_t granted = ownership.mode;
  if (credentials.fsuid == ownership.uid) {
    granted >>= 6;
  } else if (credentials.InGroup(ownership.gid)) {
    granted >>= 3;
  }
  if ((mask & ~granted & 7) == 0) return {};
  if ((ownership.mode & kModeTypeMask) == kModeDirectory) {
    if (credentials.Has(Capability::kDacOverride)) return {};
    if (!(mask & kMayWrite) && credentials.Has(Capability::kDacReadSearch)) return {};
    return Errno::kEACCES;
  }
  if (mask == kMayRead && credentials.Has(Capability::kDacReadSearch)) return {};
  // Even the superuser executes only what somebody may execute.
  if ((!(mask & kMayExecute) || (ownership.mode & 0111)) &&
      credentials.Has(Capability::kDacOverride))
    return {};
  return Errno::kEACCES;
}

Result<void> CheckMode(const Credentials& credentials, Vnode& vnode, uint32_t mask) {
  if ((mask & kMayWrite) && vnode.is_immutable()) return Errno::kEPERM;
  return CheckMode(credentials, TRY(vnode.GetOwnership()), mask);
}

Result<void> CheckChangeable(const Vnode& vnode) {
  if (vnode.is_immutable() || vnode.is_append_only()) return Errno::kEPERM;
  return {};
}

bool IsOwnerOrCapable(const Credentials& credentials, const Ownership& ownership) {
  return credentials.fsuid == ownership.uid || credentials.Has(Capability::kFowner);
}

Result<void> CheckSticky(const Credentials& credentials, const Ownership& directory,
                         Vnode& victim) {
  if (!(directory.mode & kModeSticky) || credentials.fsuid == directory.uid) return {};
  if (IsOwnerOrCapable(credentials, TRY(victim.GetOwnership()))) return {};
  return Errno::kEPERM;
}

NewFileOwner OwnerOfNewFile(const Credentials& credentials, const Ownership& directory,
                            uint32_t mode) {
  NewFileOwner owner{mode, credentials.fsuid, credentials.fsgid};
  if (!(directory.mode & kModeSetGid)) return owner;
  owner.gid = directory.gid;
  if ((mode & kModeTypeMask) == kModeDirectory) {
    owner.mode |= kModeSetGid;
  } else if ((mode & (kModeSetGid | 0010)) == (kModeSetGid | 0010) &&
             !credentials.InGroup(directory.gid) && !credentials.Has(Capability::kFsetid)) {
    owner.mode &= ~kModeSetGid;
  }
  return owner;
}

uint32_t WithoutSetIdBits(uint32_t mode) {
  mode &= ~kModeSetUid;
  // Without group execution the bit meant mandatory locking: it stays (chown(2)).
  if (mode & 0010) mode &= ~kModeSetGid;
  return mode;
}

}  // namespace zrun::vfs
