#pragma once
#include "vfs/file_system.h"

namespace zrun::vfs {

// tmpfs(5): size=, nr_inodes=, mode=, uid=, gid=. EINVAL for what it does not know.
Result<RefPtr<FileSystem>> MountTmpfs(std::string_view source, std::string_view options);
// The same without limits; knows mode= and ignores the rest, as on Linux.
Result<RefPtr<FileSystem>> MountRamfs(std::string_view source, std::string_view options);

// An unnamed file for memfd_create(2), of a tmpfs that is mounted nowhere and lives for ever.
// Without |sealable| it has F_SEAL_SEAL from the start.
Result<RefPtr<Vnode>> CreateMemfdVnode(uint32_t mode, uint32_t uid, uint32_t gid, bool sealable);

}  // namespace zrun::vfs
