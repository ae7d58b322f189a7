#pragma once
#include "vfs/anonymous.h"
#include "vfs/file_description.h"

namespace zrun::vfs {

// memfd_create(2): "memfd:|name|", open for reading and writing. |flags| are MFD_* (EINVAL for what
// is unknown; huge pages give ENODEV).
Result<RefPtr<FileDescription>> CreateMemfd(std::string_view name, uint32_t flags, FileOwner owner);

}  // namespace zrun::vfs
