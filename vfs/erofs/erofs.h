#pragma once
#include <optional>

#include "vfs/erofs/image.h"
#include "vfs/file_system.h"

namespace zrun::vfs {

// An image as a file system. |bytes| stays for ever. With |frames| (the same bytes as physical
// memory) whole pages of files are mapped straight from it; without, mmap gets copies.
Result<RefPtr<FileSystem>> MountErofsImage(std::span<const std::byte> bytes,
                                           std::optional<hal::PhysRange> frames);
// The machine's root image; ENODEV if there is none.
Result<RefPtr<FileSystem>> MountErofs(std::string_view source, std::string_view options);

}  // namespace zrun::vfs
