#pragma once
#include "compat/task.h"
#include "vfs/file_messenger.h"

// O_ASYNC: a signal for the owner (F_SETOWN, F_SETSIG) of an open file when it becomes ready.
namespace zrun::compat {

enum : int32_t { kOwnerTid = 0, kOwnerPid = 1, kOwnerGroup = 2 };  // F_OWNER_*

// fcntl(F_SETFL) and ioctl(FIOASYNC) with another O_ASYNC than before. Files that Linux sends
// nothing for take the flag without effect. |fd| is what the signal will say.
Result<void> SetAsync(const RefPtr<vfs::FileDescription>& file, Fd fd, bool on);

// What tells the same owner, each time anew, of what F_SETLEASE and F_NOTIFY asked for through
// |fd|.
Result<RefPtr<vfs::FileMessenger>> MakeFileMessenger(Fd fd);

// fcntl(F_SETOWN_EX): who is told, by number; 0 is nobody. ESRCH.
Result<void> SetAsyncOwner(Task& task, vfs::FileDescription& file, int32_t type, int32_t id);
// F_SETOWN, FIOSETOWN and SIOCSPGRP: a process, or (negative) a process group. EINVAL, ESRCH.
Result<void> SetAsyncOwner(Task& task, vfs::FileDescription& file, int32_t number);
// Makes the caller's process the owner if there is none.
void ClaimAsync(Task& task, vfs::FileDescription& file);
// What F_GETOWN, FIOGETOWN and SIOCGPGRP tell, in the same way.
int32_t GetAsyncOwner(const vfs::FileDescription& file);

}  // namespace zrun::compat
