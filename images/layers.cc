#include "images/layers.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "images/cache.h"
#include "images/error.h"
#include "images/saved_image.h"

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

// The layers of a saved image, and what its author wants run.
void AddSavedImage(Tree& tree, ErofsWriter& writer, const SavedImage& image,
                   const ReadCallback& on_read) {
  for (const SavedImage::Layer& layer : image.layers) {
    tree.BeginLayer();
    try {
      AddArchive(tree, writer, layer.path, on_read);
    } catch (const ImageError& error) {
      throw ImageError("'" + layer.name + "': " + error.what());
    }
  }
  tree.root().xattrs[kConfigXattr] = image.config;
}

}  // namespace

void AddLayer(Tree& tree, ErofsWriter& writer, const fs::path& layer, const std::string& place,
              const ReadCallback& on_read) {
  tree.BeginLayer();
  const bool is_directory = IsDirectory(layer);
  if (const auto saved = place.empty() && !IsImage(layer) ? OpenSavedImage(layer) : std::nullopt) {
    AddSavedImage(tree, writer, *saved, on_read);
  } else if (is_directory) {
    AddDirectory(tree, writer, layer, place, on_read);
  } else if (IsImage(layer)) {
    AddImage(tree, writer, layer, on_read);
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

void CopyData(ErofsWriter& writer, Inode& inode, int fd, off_t offset, uint64_t size,
              const ReadCallback& on_read) {
  inode.first_block = writer.Allocate(size);
  inode.size = size;
  std::vector<char> buffer(256 << 10);
  off_t end = offset + off_t(size);
  for (off_t at = offset; at < end;) {
    off_t data = lseek(fd, at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) data = end;  // a hole up to the end
    if (data > at) {
      data = std::min(data, end);
      if (on_read) on_read(uint64_t(data - at));
      at = data;
      continue;
    }
    size_t want = std::min(buffer.size(), size_t(end - at));
    size_t count = ReadFully(fd, buffer.data(), want, at, "layer");
    if (count != want) throw ImageError("it was shortened while it was read");
    writer.Write(inode.first_block, uint64_t(at - offset), buffer.data(), count);
    if (on_read) on_read(count);
    at += off_t(count);
  }
}

}  // namespace zrun::images
