#pragma once
#include "compat/abi/file.h"
#include "compat/task.h"

namespace zrun::compat {

// fcntl(2)'s locks of byte ranges: F_GETLK, F_SETLK and F_SETLKW, and, if |of_file|, their F_OFD_
// counterparts.
SyscallResult GetRecordLock(Task& task, vfs::FileDescription& file, UserPtr<abi::Flock> pointer,
                            bool of_file);
SyscallResult SetRecordLock(Task& task, vfs::FileDescription& file,
                            UserPtr<const abi::Flock> pointer, bool of_file, bool wait);

}  // namespace zrun::compat
