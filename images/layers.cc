#include "images/layers.h"

#include <sys/stat.h>

#include "images/error.h"

namespace zrun::images {
namespace {

namespace fs = std::filesystem;

bool IsDirectory(const fs::path& layer) {
  struct stat info;
  if (stat(layer.c_str(), &info) != 0) throw SystemError("layer '" + layer.string() + "'");
  if (!S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode)) {
    throw ImageError("layer '" + layer.string() + "' is neither a file nor a directory");
  }
  return S_ISDIR(info.st_mode);
}

}  // namespace

void AddLayer(Tree& tree, ErofsWriter& writer, const fs::path& layer, const ReadCallback& on_read) {
  tree.BeginLayer();
  if (IsDirectory(layer)) {
    AddDirectory(tree, writer, layer, on_read);
  } else {
    AddArchive(tree, writer, layer, on_read);
  }
}

uint64_t LayerBytes(const fs::path& layer) {
  std::error_code ignored;
  if (!IsDirectory(layer)) return fs::file_size(layer, ignored);
  uint64_t bytes = 0;
  auto options = fs::directory_options::skip_permission_denied;
  for (auto it = fs::recursive_directory_iterator(layer, options, ignored);
       it != fs::recursive_directory_iterator(); it.increment(ignored)) {
    struct stat info;
    if (lstat(it->path().c_str(), &info) == 0 && S_ISREG(info.st_mode)) {
      bytes += uint64_t(info.st_size);
    }
  }
  return bytes;
}

}  // namespace zrun::images
