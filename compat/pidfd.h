#pragma once
#include "compat/thread_group.h"
#include "vfs/file_description.h"

namespace zrun::compat {

// pidfd_open(2): a process by reference. Readable once it has ended.
class PidFd final : public vfs::FileDescription, public ListNode<PidFd> {
 public:
  static Result<RefPtr<PidFd>> Create(RefPtr<ThreadGroup> group, vfs::OpenFlags flags);
  ~PidFd() override;
  Kind kind() const override { return Kind::kPidFd; }
  void ShowInfo(TextSink& out) override;
  const RefPtr<ThreadGroup>& group() const { return group_; }

 private:
  friend void NotifyPidFds(ThreadGroup& group);
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> zrun::MakeRef(Args&&...);
  PidFd(vfs::Path path, vfs::OpenFlags flags, RefPtr<ThreadGroup> group);
  const RefPtr<ThreadGroup> group_;
};

Result<RefPtr<vfs::FileDescription>> CreatePidFd(RefPtr<ThreadGroup> group, vfs::OpenFlags flags);
// The process |file| names; null if |file| is no pidfd.
RefPtr<ThreadGroup> GroupOfPidFd(vfs::FileDescription& file);
// The process has ended: its pidfds become readable.
void NotifyPidFds(ThreadGroup& group);

}  // namespace zrun::compat
