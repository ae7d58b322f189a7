#pragma once
#include "vfs/file_description.h"
#include "vfs/setting.h"

namespace zrun::vfs {

// Each user's own; queued_events of each file.
struct InotifyLimits {
  Setting queued_events, user_instances, user_watches;
};
extern InotifyLimits inotify_limits;

// inotify_init1(2). |flags|: kNonBlock. |uid|: whose limits it counts against; EMFILE.
Result<RefPtr<FileDescription>> CreateInotify(OpenFlags flags, uint32_t uid);
// inotify_add_watch(2): |mask| is IN_*, with IN_MASK_ADD and IN_MASK_CREATE. Returns the watch
// descriptor. EINVAL if |file| is no inotify file or the mask is empty, EEXIST, ENOSPC. (The caller
// resolves the path as IN_DONT_FOLLOW and IN_ONLYDIR ask, and checks read permission.)
Result<int> InotifyAddWatch(FileDescription& file, const Path& path, uint32_t mask);
Result<void> InotifyRemoveWatch(FileDescription& file, int watch);

}  // namespace zrun::vfs
