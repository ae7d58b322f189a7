#include "compat/path_argument.h"

namespace zrun::compat {

Result<PathArgument> ReadPathArgument(Task& task, Fd directory, UserCString path,
                                      bool allow_empty) {
  String text = TRY(task.memory().ReadPath(path));
  if (text.empty()) {
    if (!allow_empty) return Errno::kENOENT;
    auto base = TRY(task.WalkFrom(Fd{kAtFdCwd}));
    if (directory.value != kAtFdCwd)
      base.context.base = TRY(task.fds().Get(directory, Rights::kNone, true))->path();
    return PathArgument{std::move(text), std::move(base)};
  }
  if (text.view().front() == '/') directory = Fd{kAtFdCwd};
  auto base = TRY(task.WalkFrom(directory));
  return PathArgument{std::move(text), std::move(base)};
}

Result<PathArgument> ReadConfinedPath(Task& task, Fd directory, UserCString path) {
  String text = TRY(task.memory().ReadPath(path));
  if (text.empty()) return Errno::kENOENT;
  auto base = TRY(task.WalkFrom(directory));
  return PathArgument{std::move(text), std::move(base)};
}

Result<vfs::Path> ResolvePath(Task& task, Fd directory, UserCString path, vfs::WalkFlags flags) {
  const auto argument =
      TRY(ReadPathArgument(task, directory, path, HasAny(flags, vfs::WalkFlags::kEmptyPath)));
  if (argument.text.empty()) return vfs::Path(argument.context().base);
  return vfs::Walk(argument.context(), argument.text, flags);
}

vfs::WalkFlags WalkFlagsOf(AtFlags flags) {
  auto result = vfs::WalkFlags::kNone;
  if (HasAny(flags, AtFlags::kSymlinkNoFollow)) result |= vfs::WalkFlags::kNoFollow;
  if (HasAny(flags, AtFlags::kEmptyPath)) result |= vfs::WalkFlags::kEmptyPath;
  return result;
}

}  // namespace zrun::compat
