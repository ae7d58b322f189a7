#pragma once
#include "vfs/file_description.h"

namespace zrun::vfs {

// inotify_init1(2). |flags|: kNonBlock.
Result<RefPtr<FileDescription>> CreateInotify(OpenFlags flags);
// inotify_add_watch(2): |mask| is IN_*, with IN_MASK_ADD and IN_MASK_CREATE. Returns the watch
// descriptor. EINVAL if |file| is no inotify file or the mask is empty, EEXIST, ENOSPC. (The caller
// resolves the path as IN_DONT_FOLLOW and IN_ONLYDIR ask, and checks read permission.)
Result<int> InotifyAddWatch(FileDescription& file, const Path& path, uint32_t mask);
Result<void> InotifyRemoveWatch(FileDescription& file, int watch);

}  // namespace zrun::vfs
