#pragma once
#include "compat/file_params.h"
#include "compat/task.h"

namespace zrun::compat {

// A path that a call was given, copied in, and where it starts from. |directory| is not looked at
// when the path is absolute, as on Linux.
struct PathArgument {
  String text;
  Task::WalkBase base;
  const vfs::WalkContext& context() const { return base.context; }
};
// EFAULT, ENAMETOOLONG; ENOENT for "" unless |allow_empty|: then the base is |directory| itself,
// whatever kind of file it is.
Result<PathArgument> ReadPathArgument(Task& task, Fd directory, UserCString path,
                                      bool allow_empty = false);
// For openat2's RESOLVE_BENEATH and RESOLVE_IN_ROOT: absolute paths start from |directory| too.
Result<PathArgument> ReadConfinedPath(Task& task, Fd directory, UserCString path);
// What it names. WalkFlags::kEmptyPath allows "".
Result<vfs::Path> ResolvePath(Task& task, Fd directory, UserCString path, vfs::WalkFlags flags);
// AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH as WalkFlags.
vfs::WalkFlags WalkFlagsOf(AtFlags flags);

}  // namespace zrun::compat
