#pragma once
#include "vfs/file_description.h"

namespace zrun::vfs {

// eventfd(2). |flags|: kNonBlock.
Result<RefPtr<FileDescription>> CreateEventFd(uint32_t initial, bool semaphore, OpenFlags flags);

}  // namespace zrun::vfs
