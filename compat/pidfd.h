#pragma once
#include "compat/thread_group.h"
#include "vfs/file_description.h"

namespace zrun::compat {

// pidfd_open(2): a process by reference. Readable once it has ended.
Result<RefPtr<vfs::FileDescription>> CreatePidFd(RefPtr<ThreadGroup> group, vfs::OpenFlags flags);
// The process |file| names; null if |file| is no pidfd.
RefPtr<ThreadGroup> GroupOfPidFd(vfs::FileDescription& file);
// The process has ended: its pidfds become readable.
void NotifyPidFds(ThreadGroup& group) REQUIRES(Kernel::Get().lock());

}  // namespace zrun::compat
