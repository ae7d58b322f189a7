#include "compat/pidfd.h"

#include "base/text.h"
#include "compat/kernel.h"
#include "vfs/anonymous.h"

namespace zrun::compat {

Result<RefPtr<PidFd>> PidFd::Create(RefPtr<ThreadGroup> group, vfs::OpenFlags flags) {
  vfs::Path path = TRY(vfs::MakeAnonymousPath("anon_inode:[pidfd]", 0600));
  return MakeRef<PidFd>(std::move(path), flags, std::move(group));
}

PidFd::PidFd(vfs::Path path, vfs::OpenFlags flags, RefPtr<ThreadGroup> group)
    : FileDescription(std::move(path), flags, Signals::kNone), group_(std::move(group)) {
  MutexLock lock(group_->pid_fd_lock);
  group_->pid_fds.PushBack(*this);
  if (group_->has_ended) UpdateSignals(Signals::kNone, Signals::kReadable);
}

PidFd::~PidFd() {
  MutexLock lock(group_->pid_fd_lock);
  Unlink();
}

Result<RefPtr<vfs::FileDescription>> CreatePidFd(RefPtr<ThreadGroup> group, vfs::OpenFlags flags) {
  return TRY(PidFd::Create(std::move(group), flags));
}

RefPtr<ThreadGroup> GroupOfPidFd(vfs::FileDescription& file) {
  if (file.kind() != vfs::FileDescription::Kind::kPidFd) return nullptr;
  return static_cast<PidFd&>(file).group();
}

void NotifyPidFds(ThreadGroup& group) {
  MutexLock lock(group.pid_fd_lock);
  group.has_ended = true;
  for (PidFd& file : group.pid_fds) file.UpdateSignals(Signals::kNone, Signals::kReadable);
}

// -1 once nobody remembers the process.
void PidFd::ShowInfo(TextSink& out) {
  int32_t pid = -1;
  {
    MutexLock lock(Kernel::Get().lock());
    if (Kernel::Get().pids().FindGroup(group_->pid()) == group_.get()) pid = group_->pid();
  }
  zrun::Write(out, "Pid:\t", pid, "\nNSpid:\t", pid, "\n");
}

}  // namespace zrun::compat
