#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "images/tree.h"

namespace zrun::images {

// Told of the bytes of input that were read since the last call.
using ReadCallback = std::function<void(uint64_t bytes)>;

// Merges one layer into the tree: a tar archive, plain or compressed with gzip, xz or zstd; a
// Debian package; or a directory, which goes to |place|. What it is shows in its contents. Throws
// ImageError naming the layer, the entry and the reason.
void AddLayer(Tree& tree, ErofsWriter& writer, const std::filesystem::path& layer,
              const std::string& place, const ReadCallback& on_read);

// As AddLayer() counts them.
uint64_t LayerBytes(const std::filesystem::path& layer);

void AddArchive(Tree& tree, ErofsWriter& writer, const std::filesystem::path& layer,
                const ReadCallback& on_read);
void AddDirectory(Tree& tree, ErofsWriter& writer, const std::filesystem::path& layer,
                  const std::string& place, const ReadCallback& on_read);
void AddImage(Tree& tree, ErofsWriter& writer, const std::filesystem::path& layer,
              const ReadCallback& on_read);

// Gives |inode| the contents of a part of a file. Holes stay holes.
void CopyData(ErofsWriter& writer, Inode& inode, int fd, off_t offset, uint64_t size,
              const ReadCallback& on_read);

}  // namespace zrun::images
