#pragma once
#include <optional>

#include "compat/task.h"
#include "vfs/file_description.h"

namespace zrun::compat {

// ioctl(2)'s requests for what chattr(1) sets: FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FS_IOC_FSGETXATTR,
// FS_IOC_FSSETXATTR. None: |request| is another one. ENOTTY where files have no flags, EOPNOTSUPP
// for flags that they do not have, EPERM.
std::optional<SyscallResult> InodeFlagsRequest(Task& task, vfs::FileDescription& file,
                                               uint32_t request, uint64_t argument);

}  // namespace zrun::compat
