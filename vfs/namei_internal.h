#pragma once
#include "vfs/permissions.h"
#include "vfs/walker.h"

// Shared by the files that implement namei.h.
namespace zrun::vfs {

// EROFS where nothing may be written: by mount or by file system.
inline Result<void> CheckWritableMount(const Path& path) {
  if (HasAny(MountFlagsOf(path), MountFlags::kReadOnly) ||
      path.dentry->file_system().is_read_only())
    return Errno::kEROFS;
  return {};
}
// Write and search permission in the directory of a name to make or to remove.
inline Result<Ownership> CheckDirectoryWrite(const Credentials& credentials, Vnode& directory) {
  if (directory.is_immutable()) return Errno::kEPERM;
  const Ownership ownership = TRY(directory.GetOwnership());
  TRY(CheckMode(credentials, ownership, kMayWrite | kMayExecute));
  return ownership;
}
// A writer's truncation, with what it does to set-id bits; ETXTBSY while the file is executed.
Result<void> TruncateAsWriter(const Credentials& credentials, Vnode& vnode, uint64_t size);

// Calls that find what they looked up changed by someone else do it all again.
template <typename Attempt>
auto RetryStale(Attempt attempt) -> decltype(attempt()) {
  for (int i = 0; i < 32; i++) {
    auto result = attempt();
    if (result.ok() || result.error() != Errno::kESTALE) return result;
  }
  return Errno::kEBUSY;
}

}  // namespace zrun::vfs
