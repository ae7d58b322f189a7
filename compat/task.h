#pragma once
#include "compat/fd_table.h"
#include "compat/fs_context.h"
#include "compat/kernel.h"
#include "compat/signals.h"
#include "compat/thread_group.h"
#include "objects/task/thread.h"
#include "objects/wait.h"

namespace zrun::compat {

// A Linux thread. The context every system call is handed. Only its own thread uses it unless a method says otherwise.
class Task final : public Thread {
 public:
  static Task& Current() { return *static_cast<Task*>(Thread::Current()); }
  ~Task() override;

  int32_t tid() const { return tid_; }           // any thread
  ThreadGroup& group() const { return *group_; }  // any thread
  Kernel& kernel() const;
  hal::Registers& registers() { return hal::UserRegisters(); }
  UserMemory memory() { return UserMemory(*region_); }
  VmAddressRegion& region() { return *region_; }

  FdTable& fds() { return *fds_; }
  FsContext& fs() { return *fs_; }
  // Changes are published as a new object; any thread may ask.
  RefPtr<const vfs::Credentials> credentials() const EXCLUDES(lock_);
  void SetCredentials(RefPtr<vfs::Credentials> credentials) EXCLUDES(lock_);
  // What path calls start from. |directory| is AT_FDCWD or a descriptor (EBADF, ENOTDIR).
  struct WalkBase {
    RefPtr<const vfs::Credentials> credentials;
    vfs::WalkContext context;
  };
  Result<WalkBase> WalkFrom(Fd directory);
  // The lowest limit RLIMIT_NOFILE for new descriptors, and the usual way to make one.
  Result<uint64_t> InstallFile(RefPtr<vfs::FileDescription> file, bool close_on_exec);

  // Sleeps until |object| has one of |wanted|: what is set. kRestartSys if a signal comes first, kETIMEDOUT.
  Result<Signals> WaitFor(KernelObject& object, Signals wanted, hal::Deadline deadline);
  // The same for many objects (poll); returns how many are ready, 0 at the deadline, kRestartNoHand or kEINTR-like
  // errors are the caller's choice: this returns kEINTR.
  Result<size_t> WaitForMany(std::span<WaitItem> items, hal::Deadline deadline);
  // Sleeps; kEINTR if a signal comes first, kETIMEDOUT (the normal end) at the deadline.
  Result<void> Sleep(hal::Deadline deadline);
  // A signal is waiting to be delivered, or the task must end: blocking calls give up.
  bool HasPendingSignal();

  TaskSignals& signals() { return signals_; }
  // The name shown by ps (PR_SET_NAME).
  TextBuffer<16> name() const EXCLUDES(lock_);
  void SetName(std::string_view name) EXCLUDES(lock_);

 private:
  friend class TaskBuilder;  // compat/clone.cc, compat/kernel.cc: make tasks
  void Main() override;
  int32_t tid_ = 0;
  RefPtr<ThreadGroup> group_;
  RefPtr<VmAddressRegion> region_;
  RefPtr<FdTable> fds_;
  RefPtr<FsContext> fs_;
  TaskSignals signals_;
  mutable Mutex lock_{LockRank::kTask};
  RefPtr<const vfs::Credentials> credentials_ GUARDED_BY(lock_);
};

}  // namespace zrun::compat
