#pragma once
#include "compat/thread_group.h"
#include "vfs/file_description.h"

namespace zrun::compat {

// pidfd_open(2): a process by reference, or with PIDFD_THREAD (O_EXCL) one of its threads. Readable
// once it has ended, hung up once nobody can wait for it any more.
class PidFd final : public vfs::FileDescription, public ListNode<PidFd> {
 public:
  // |thread| is null for a process and for its first thread, which may be another one tomorrow
  // (execve).
  static Result<RefPtr<PidFd>> Create(RefPtr<ThreadGroup> group, RefPtr<Task> thread,
                                      vfs::OpenFlags flags);
  ~PidFd() override;
  Kind kind() const override { return Kind::kPidFd; }
  void ShowInfo(TextSink& out) override;
  // PIDFD_GET_INFO: ESRCH, EINVAL, EFAULT.
  Result<uint64_t> Ioctl(uint32_t request, uint64_t argument, UserMemory& memory) override;
  const RefPtr<ThreadGroup>& group() const { return group_; }
  const RefPtr<Task>& thread() const { return thread_; }
  bool names_thread() const { return HasAny(flags(), vfs::OpenFlags::kExclusive); }
  // The thread, or the process's first one, be it that it has ended; null once it is forgotten.
  Task* Find() const REQUIRES(Kernel::Get().lock());
  RefPtr<Task> Get() const EXCLUDES(Kernel::Get().lock());

 private:
  friend void NotifyPidFds(ThreadGroup& group, ThreadGroup::EndStage stage);
  friend void NotifyPidFds(Task& thread);
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> zrun::MakeRef(Args&&...);
  PidFd(vfs::Path path, vfs::OpenFlags flags, RefPtr<ThreadGroup> group, RefPtr<Task> thread);
  // Tells of the group's |stage|, which its caller read under the group's pid_fd_lock.
  void Refresh(ThreadGroup::EndStage stage);
  int exit_status() const;
  const RefPtr<ThreadGroup> group_;
  const RefPtr<Task> thread_;
};

// Null if |file| is none.
RefPtr<PidFd> AsPidFd(vfs::FileDescription& file);
// The process's end has come that far: its pidfds tell.
void NotifyPidFds(ThreadGroup& group, ThreadGroup::EndStage stage);
// A thread other than the first has ended.
void NotifyPidFds(Task& thread);

}  // namespace zrun::compat
