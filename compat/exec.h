#pragma once
#include "compat/exec_arguments.h"
#include "compat/task.h"
#include "loader/image.h"

namespace zrun::compat {

// The answer of execve when the thread goes on elsewhere: the run loop leaves without touching the
// task. Never an error of a system call.
inline constexpr Errno kThreadMoved{600};

// Keeps writers away from a file while it is open for execution (ETXTBSY).
class DenyWrites {
 public:
  DenyWrites() = default;
  static Result<DenyWrites> Of(RefPtr<vfs::Vnode> vnode);
  DenyWrites(DenyWrites&& other) = default;
  DenyWrites& operator=(DenyWrites&& other) {
    std::swap(vnode_, other.vnode_);
    return *this;
  }
  ~DenyWrites() {
    if (vnode_) vnode_->RemoveExecutor();
  }

 private:
  RefPtr<vfs::Vnode> vnode_;
};

// What execve is about to do: found and checked while the old program still stands, carried out
// when nothing of it is left.
class ExecPlan {
 public:
  // |arguments| are taken. |name| is what the program was called by (AT_EXECFN, ps); |context|
  // says who looks for interpreters, and from where.
  struct Source {
    const vfs::WalkContext& context;
    RefPtr<vfs::FileDescription> file;
    std::string_view name;
    std::string_view comm = {};    // empty: from the name
    bool script_reachable = true;  // false: "#!" would name a descriptor that is closed by then
    bool no_new_privs = false;
    bool shares_fs = false;  // another process could change its root or directory meanwhile
  };
  static Result<OwnPtr<ExecPlan>> Prepare(const Source& source, ExecArguments arguments);
  ~ExecPlan();

  // The point of no return: |task| becomes the only thread of its process and runs the plan, here
  // or, when others use its memory, in a new address space. kThreadMoved, or an error for which
  // nothing has changed.
  static Result<void> Commit(Task& task, OwnPtr<ExecPlan> plan);
  // The rest, in the address space it is for: 0, or the task has been told to end.
  void Finish(Task& task);
  // The first process has no old program to replace: its name and its executable (/proc/PID/exe).
  void Introduce(Task& task);

 private:
  template <typename T, typename... Args>
  friend Result<OwnPtr<T>> zrun::MakeOwned(Args&&...);
  ExecPlan() = default;
  Result<void> FollowScripts(const Source& source);
  Result<void> OpenInterpreter(const Source& source);
  Result<void> ComputeCredentials(const Source& source);
  void InstallCredentials(Task& task);
  Result<void> Build(Task& task);
  Result<void> MapStack(Task& task);
  Result<uint64_t> FillStack(Task& task);
  Result<void> KeepText(MemoryContext& context);
  static Result<void> BecomeOnlyThread(Task& task);
  static void DropOldProgram(Task& task);
  Result<void> EnterMemory(Task& task, OwnPtr<ExecPlan>& self);

  ExecArguments arguments_;
  Vector<String> front_;  // arguments that "#!" lines put before the rest
  String name_;
  TextBuffer<15> comm_;
  DenyWrites deny_writes_;
  loader::Image program_;
  std::optional<loader::Image> interpreter_;
  RefPtr<vfs::Credentials> credentials_;
  bool secure_ = false;      // AT_SECURE: it runs with more rights than its caller has
  bool unreadable_ = false;  // nobody may look into it (PR_GET_DUMPABLE 0)
  bool clear_death_signal_ = false;

  // Where things came to lie.
  uint64_t stack_top_ = 0, stack_bottom_ = 0, mmap_base_ = 0;
  uint64_t program_bias_ = 0, interpreter_base_ = 0, entry_ = 0;
  struct Random {
    uint64_t stack, mmap, program, brk;
    std::array<std::byte, 16> at_random;
  } random_{};
};

// Finds the file to execute: checks type, permission, noexec. ENOENT, EACCES, ...
Result<RefPtr<vfs::FileDescription>> OpenExecutable(const vfs::WalkContext& context,
                                                    std::string_view path, vfs::WalkFlags flags);

}  // namespace zrun::compat
