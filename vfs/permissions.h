#pragma once
#include "vfs/vnode.h"

// Who may do what to a file, from mode bits and capabilities alone (no mounts, no names).
namespace zrun::vfs {

inline constexpr uint32_t kMayRead = 4, kMayWrite = 2, kMayExecute = 1;

// inode_permission of path_resolution(7): EACCES.
Result<void> CheckMode(const Credentials& credentials, const Ownership& ownership, uint32_t mask);
Result<void> CheckMode(const Credentials& credentials, Vnode& vnode, uint32_t mask);
// Search permission for one step of a walk.
inline Result<void> CheckSearch(const Credentials& credentials, Vnode& directory) {
  if (credentials.cap_effective & (uint64_t{1} << unsigned(Capability::kDacOverride) |
                                   uint64_t{1} << unsigned(Capability::kDacReadSearch)))
    return {};
  return CheckMode(credentials, directory, kMayExecute);
}
// EPERM for what chattr(1) has made immutable or append-only: its attributes and names stay.
Result<void> CheckChangeable(const Vnode& vnode);
bool IsOwnerOrCapable(const Credentials& credentials, const Ownership& ownership);
// A sticky directory's names may be removed only by who owns the file or the directory: EPERM.
Result<void> CheckSticky(const Credentials& credentials, const Ownership& directory, Vnode& victim);
// The group and mode of a new file in |directory| (set-group-ID directories hand down their group).
struct NewFileOwner {
  uint32_t mode, uid, gid;
};
NewFileOwner OwnerOfNewFile(const Credentials& credentials, const Ownership& directory,
                            uint32_t mode);
// The mode once someone without CAP_FSETID has written to the file or changed its owner.
uint32_t WithoutSetIdBits(uint32_t mode);
// What a write or another size takes from a file: its capabilities, and its set-id bits unless the
// writer has CAP_FSETID (|keeps_set_id|).
Result<void> RemovePrivileges(Vnode& vnode, bool keeps_set_id);

}  // namespace zrun::vfs
