#pragma once
#include <optional>

#include "vfs/erofs/image.h"
#include "vfs/file_system.h"

namespace zrun::vfs {

// An image as a file system. With ErofsSource::frames whole pages of files are mapped straight from
// it; without, mmap gets copies.
Result<RefPtr<FileSystem>> MountErofsImage(const ErofsSource& source);
Result<RefPtr<FileSystem>> MountErofsDisk(unsigned disk);
// The machine's root image; ENODEV if there is none.
Result<RefPtr<FileSystem>> MountRootImage();

}  // namespace zrun::vfs
