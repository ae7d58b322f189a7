#pragma once
#include "compat/task.h"

// O_ASYNC: a signal for the owner (F_SETOWN, F_SETSIG) of an open file when it becomes ready.
namespace zrun::compat {

enum : int32_t { kOwnerTid = 0, kOwnerPid = 1, kOwnerGroup = 2 };  // F_OWNER_*

// fcntl(F_SETFL) and ioctl(FIOASYNC) with another O_ASYNC than before. Files that Linux sends
// nothing for take the flag without effect. |fd| is what the signal will say.
Result<void> SetAsync(const RefPtr<vfs::FileDescription>& file, Fd fd, bool on);

}  // namespace zrun::compat
