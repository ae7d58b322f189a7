#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "images/error.h"

namespace zrun::images {

// Raised when the packer's output changes, so that caches pack anew.
inline constexpr int kPackerVersion = 2;

// A file that the packer makes itself.
struct Addition {
  std::string path;
  uint32_t mode = 0;  // with its type: S_IFREG, S_IFDIR or S_IFLNK
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::string text = {};     // a regular file's contents, a symbolic link's target
  std::string copy_of = {};  // or: a regular file of the layers, whose contents it gets
};

struct PackOptions {
  // Of the layers' bytes; called often.
  std::function<void(uint64_t done, uint64_t total)> progress;
  // An entry for a directory leaves a symbolic link to a directory in its place, as dpkg does.
  bool keep_directory_symlinks = false;
  // Files and directories of archives that do not get into the image.
  std::vector<std::string> leave_out;
  // Where layers go that are directories and not meant for the root.
  std::map<std::filesystem::path, std::string> places;
  // Below and above the layers.
  std::vector<Addition> before;
  std::vector<Addition> after;
  int64_t additions_mtime = 0;
};

// Merges the layers (tar archives, plain or compressed with gzip, xz or zstd, Debian packages,
// directories, images as docker and others save them), the last on top, and writes them as an EROFS
// image. The same layers give the same bytes. Throws ImageError; |output| is then as it was.
void PackLayers(const std::vector<std::filesystem::path>& layers,
                const std::filesystem::path& output, const PackOptions& options = {});

}  // namespace zrun::images
