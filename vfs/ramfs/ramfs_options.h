#pragma once
#include "vfs/ramfs/ram_file_system.h"

namespace zrun::vfs {

// The mount options of tmpfs(5).
struct RamfsOptions {
  RamFileSystem::Limits limits;
  RamFileSystem::RootOwner root;
  // Half of memory, as on Linux.
  static RamfsOptions TmpfsDefaults();
  // EINVAL for what is unknown if |strict|; otherwise all but mode= is passed over.
  Result<void> Parse(std::string_view text, bool strict);
  // As /proc/PID/mounts has them: what is not as TmpfsDefaults().
  Result<String> Show() const;
};

}  // namespace zrun::vfs
