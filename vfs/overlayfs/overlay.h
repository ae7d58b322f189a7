#pragma once
#include <span>

#include "vfs/file_system.h"

namespace zrun::vfs {

// Read-only trees, the topmost first, under one that is kept in memory. Files of below are shown by
// vnodes of this file system that stand for them; a change stays with that vnode, so that open
// files, hard links and renamed directories see it whatever their name is. |options|: tmpfs's
// size= and nr_inodes=, for what is changed.
Result<RefPtr<FileSystem>> MountOverlay(std::span<const RefPtr<FileSystem>> lowers,
                                        std::string_view options);

}  // namespace zrun::vfs
