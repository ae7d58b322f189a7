// execve(2), execveat(2).
#include "compat/exec.h"

#include "compat/file_params.h"
#include "compat/syscall_table.h"

namespace zrun::compat {
namespace {

// Whether processes beside the caller's have its fs context; if not, none comes to while this
// lives.
class FsAtExec {
 public:
  explicit FsAtExec(Task& task) : fs_(task.ShareFs()) {
    MutexLock lock(Kernel::Get().lock());
    MutexLock signal_lock(task.group().signal_lock);
    int own = 0;
    for (Task& thread : task.group().tasks) own += thread.ShareFs() == fs_;
    is_shared_ = fs_->users() > own;
    if (!is_shared_) fs_->BeginExec();
  }
  ~FsAtExec() {
    if (is_shared_) return;
    MutexLock lock(Kernel::Get().lock());
    fs_->EndExec();
  }
  FsAtExec(const FsAtExec&) = delete;
  FsAtExec& operator=(const FsAtExec&) = delete;
  bool is_shared() const { return is_shared_; }

 private:
  const RefPtr<FsContext> fs_;
  bool is_shared_ = false;
};

SyscallResult Execute(Task& task, ExecPlan::Source source, UserPtr<const uint64_t> arguments,
                      UserPtr<const uint64_t> environment) {
  const FsAtExec fs(task);
  source.no_new_privs = task.no_new_privs;
  source.shares_fs = fs.is_shared();
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
  return Execute(task, {.context = base.context, .file = std::move(file), .name = name}, arguments,
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
    return Execute(task, {.context = base.context, .file = std::move(file), .name = given},
                   arguments, environment);
  }
  TextBuilder name;
  zrun::Write(name, "/dev/fd/", directory.value);
  if (!given.empty()) zrun::Write(name, "/", given.view());
  TRY(name.result());
  const TextBuffer<15> number(directory.value);
  const bool closes = TRY(task.fds().close_on_exec(directory));
  return Execute(task,
                 {.context = base.context,
                  .file = std::move(file),
                  .name = name.view(),
                  .comm = given.empty() ? number.view() : std::string_view{},
                  .script_reachable = !closes},
                 arguments, environment);
}

}  // namespace zrun::compat
