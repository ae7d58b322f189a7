// execve(2), execveat(2).
#include "compat/exec.h"

#include "compat/file_params.h"
#include "compat/syscall_table.h"

namespace zrun::compat {
namespace {

SyscallResult Execute(Task& task, const vfs::WalkContext& context, const ExecPlan::Source& source,
                      UserPtr<const uint64_t> arguments, UserPtr<const uint64_t> environment) {
  static_cast<void>(context);
  auto read = TRY(ReadArguments(task, arguments, environment));
  auto plan = TRY(ExecPlan::Prepare(source, std::move(read)));
  TRY(ExecPlan::Commit(task, std::move(plan)));
  return 0;
}

}  // namespace

SyscallResult sys_execve(Task& task, UserCString path, UserPtr<const uint64_t> arguments,
                         UserPtr<const uint64_t> environment) {
  const String name = TRY(task.memory().ReadPath(path));
  const auto base = TRY(task.WalkFrom(Fd{kAtFdCwd}));
  auto file = TRY(OpenExecutable(base.context, name, vfs::WalkFlags::kNone));
  return Execute(task, base.context,
                 {base.context, std::move(file), name, {}, true, task.no_new_privs}, arguments,
                 environment);
}

SyscallResult sys_execveat(Task& task, Fd directory, UserCString path,
                           UserPtr<const uint64_t> arguments, UserPtr<const uint64_t> environment,
                           AtFlags flags) {
  using enum AtFlags;
  if (HasAny(flags, ~(kEmptyPath | kSymlinkNoFollow))) return Errno::kEINVAL;
  const String given = TRY(task.memory().ReadPath(path));
  if (given.empty() && !HasAny(flags, kEmptyPath)) return Errno::kENOENT;
  const bool is_absolute = !given.empty() && given.view().front() == '/';
  const auto base = TRY(task.WalkFrom(is_absolute ? Fd{kAtFdCwd} : directory));
  auto walk = vfs::WalkFlags::kNone;
  if (HasAny(flags, kEmptyPath)) walk |= vfs::WalkFlags::kEmptyPath;
  if (HasAny(flags, kSymlinkNoFollow)) walk |= vfs::WalkFlags::kNoFollow;
  auto file = TRY(OpenExecutable(base.context, given, walk));
  // What it is called by: the path, or /dev/fd/N, or /dev/fd/N/path.
  if (is_absolute || directory.value == kAtFdCwd) {
    return Execute(task, base.context,
                   {base.context, std::move(file), given, {}, true, task.no_new_privs}, arguments,
                   environment);
  }
  TextBuilder name;
  zrun::Write(name, "/dev/fd/", directory.value);
  if (!given.empty()) zrun::Write(name, "/", given.view());
  TRY(name.result());
  const TextBuffer<15> number(directory.value);
  const bool closes = TRY(task.fds().close_on_exec(directory));
  return Execute(task, base.context,
                 {base.context, std::move(file), name.view(),
                  given.empty() ? number.view() : std::string_view{}, !closes, task.no_new_privs},
                 arguments, environment);
}

}  // namespace zrun::compat
