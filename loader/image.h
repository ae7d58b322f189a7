#pragma once
#include "loader/elf.h"
#include "objects/vm/user_memory.h"
#include "vfs/file_description.h"

namespace zrun::loader {

// A program or interpreter, found to be loadable.
struct Image {
  RefPtr<vfs::FileDescription> file;
  ElfHeader header{};
  Vector<std::byte> table;  // program headers
  ImageLayout layout;
};
// Reads and checks the headers of |file|, whose first bytes are |head|. ENOEXEC, ENOMEM.
Result<Image> ReadImage(RefPtr<vfs::FileDescription> file, std::span<const std::byte> head,
                        uint16_t machine, uint64_t user_top);
// The path PT_INTERP names. ENOEXEC, EIO.
Result<String> ReadInterpreterPath(const Image& image);
// As many bytes of |file| from |offset| as there are, up to the span's size.
Result<size_t> ReadFile(vfs::FileDescription& file, uint64_t offset, std::span<std::byte> to);

// Maps the segments at their addresses plus |bias| and clears what the file does not fill. The
// caller runs in the region's address space. What is there is replaced.
Result<void> MapImage(UserMemory memory, const Image& image, uint64_t bias);

// A free place of the layout's size and alignment, at or below |below|.
Result<uint64_t> FindPlace(VmAddressRegion& region, const ImageLayout& layout, uint64_t below,
                           uint64_t lowest);

}  // namespace zrun::loader
