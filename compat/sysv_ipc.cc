#include "compat/sysv_ipc.h"

namespace zrun::compat {

void IpcObject::SetOwner(Task& task, int32_t its_key, int32_t flags) {
  const auto credentials = task.credentials();
  key = its_key;
  uid = cuid = credentials->euid;
  gid = cgid = credentials->egid;
  mode = uint32_t(flags) & 0777;
}

Result<void> IpcObject::CheckAccess(const vfs::Credentials& credentials, uint32_t wanted) const {
  const auto in_group = [&](uint32_t group) {
    return group == credentials.egid || credentials.InGroup(group);
  };
  uint32_t granted = mode;
  if (credentials.euid == uid || credentials.euid == cuid) {
    granted >>= 6;
  } else if (in_group(gid) || in_group(cgid)) {
    granted >>= 3;
  }
  // Whichever class the bits asked for stand in.
  wanted |= wanted >> 6 | wanted >> 3;
  if ((wanted & ~granted & 7) && !credentials.Has(vfs::Capability::kIpcOwner))
    return Errno::kEACCES;
  return {};
}

Result<void> IpcObject::CheckOwner(const vfs::Credentials& credentials) const {
  if (credentials.euid == uid || credentials.euid == cuid ||
      credentials.Has(vfs::Capability::kSysAdmin))
    return {};
  return Errno::kEPERM;
}

abi::IpcPerm IpcObject::ToPerm() const {
  return {.key = key,
          .uid = uid,
          .gid = gid,
          .cuid = cuid,
          .cgid = cgid,
          .mode = mode,
          .sequence = sequence,
          .padding1 = 0,
          .padding2 = 0,
          .unused = {}};
}

Result<void> IpcObject::Change(const abi::IpcPerm& perm) {
  if (perm.uid == ~0u || perm.gid == ~0u) return Errno::kEINVAL;
  uid = perm.uid;
  gid = perm.gid;
  mode = (mode & ~0777u) | (perm.mode & 0777);
  change_time = IpcNow();
  return {};
}

}  // namespace zrun::compat
