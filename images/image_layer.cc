#include <fcntl.h>
#include <sys/stat.h>

#include <cstring>
#include <map>
#include <set>
#include <vector>

#include "images/cache.h"
#include "images/erofs_format.h"
#include "images/error.h"
#include "images/layers.h"
#include "images/saved_image.h"

namespace zrun::images {
namespace {

namespace fs = std::filesystem;
using namespace erofs;

// Reads what ErofsWriter writes, and trusts none of it.
class ImageFile {
 public:
  explicit ImageFile(const fs::path& path) : image_(OpenImage(path)) {
    struct stat info;
    if (fstat(image_.fd.get(), &info) != 0) throw SystemError("cannot read it");
    size_ = uint64_t(info.st_size);
    Read(kSuperOffset, &super_, sizeof super_);
    if (super_.feature_incompat != 0) throw ImageError("zrun did not pack it");
  }

  struct Item {
    std::string name;
    uint64_t nid;
  };
  struct Source {
    ExtendedInode disk;
    uint64_t offset;  // of the inode
    uint64_t behind;  // of what follows it and its xattrs
  };

  void CheckRange(uint64_t offset, uint64_t size) const {
    if (offset > size_ || size > size_ - offset) throw ImageError("it points out of the image");
  }

  void Read(uint64_t offset, void* data, size_t size) const {
    CheckRange(offset, size);
    if (ReadFully(image_.fd.get(), data, size, off_t(offset), image_.path.string()) != size) {
      throw ImageError("it was shortened while it was read");
    }
  }

  Source ReadInode(uint64_t nid) const {
    if (nid > size_ / kSlotSize) throw ImageError("it points out of the image");
    Source source{};
    source.offset = uint64_t(super_.meta_block) * kBlockSize + nid * kSlotSize;
    Read(source.offset, &source.disk, sizeof source.disk);
    uint16_t format = source.disk.format;
    if (format != Format(Layout::kFlatPlain) && format != Format(Layout::kFlatInline)) {
      throw ImageError("zrun did not pack it");
    }
    source.behind = source.offset + sizeof source.disk;
    if (source.disk.xattr_count != 0) {
      source.behind += sizeof(XattrHeader) + 4 * (source.disk.xattr_count - 1);
    }
    return source;
  }

  // Of a directory or a link.
  std::string ReadOwn(const Source& source, uint64_t limit) const {
    uint64_t size = source.disk.size;
    if (size > limit) throw ImageError("it is too large");
    std::string bytes(size, '\0');
    size_t tail = source.disk.format == Format(Layout::kFlatInline) ? size % kBlockSize : 0;
    size_t head = size - tail;
    Read(uint64_t(source.disk.block_or_device) * kBlockSize, bytes.data(), head);
    Read(source.behind, bytes.data() + head, tail);
    return bytes;
  }

  void ReadXattrs(const Source& source, Inode& inode) const {
    uint64_t offset = source.offset + sizeof(ExtendedInode);
    std::string bytes(source.behind - offset, '\0');
    Read(offset, bytes.data(), bytes.size());
    for (size_t at = sizeof(XattrHeader); at + sizeof(XattrEntry) <= bytes.size();) {
      XattrEntry entry;
      memcpy(&entry, bytes.data() + at, sizeof entry);
      at += sizeof entry;
      if (bytes.size() - at < size_t(entry.name_length) + entry.value_size) {
        throw ImageError("its extended attributes are broken");
      }
      std::string name = XattrPrefixOf(entry.name_index) + bytes.substr(at, entry.name_length);
      inode.xattrs[name] = bytes.substr(at + entry.name_length, entry.value_size);
      at = (at + entry.name_length + entry.value_size + 3) / 4 * 4;
    }
  }

  static std::string XattrPrefixOf(uint8_t index) {
    switch (index) {
      case kUser:
        return "user.";
      case kPosixAclAccess:
        return "system.posix_acl_access";
      case kPosixAclDefault:
        return "system.posix_acl_default";
      case kTrusted:
        return "trusted.";
      case kSecurity:
        return "security.";
      default:
        throw ImageError("its extended attributes are broken");
    }
  }

  std::vector<Item> ReadDirectory(const Source& source) const {
    std::string bytes = ReadOwn(source, size_);
    std::vector<Item> items;
    for (size_t start = 0; start < bytes.size(); start += kBlockSize) {
      ReadDirectoryBlock(bytes.substr(start, kBlockSize), items);
    }
    return items;
  }

  static void ReadDirectoryBlock(const std::string& block, std::vector<Item>& items) {
    auto broken = [] { return ImageError("it is a broken directory"); };
    auto entry_at = [&](size_t index) {
      DirectoryEntry entry;
      memcpy(&entry, block.data() + index * sizeof entry, sizeof entry);
      return entry;
    };
    if (block.size() < sizeof(DirectoryEntry)) throw broken();
    size_t count = entry_at(0).name_offset / sizeof(DirectoryEntry);
    if (count == 0 || count * sizeof(DirectoryEntry) > block.size()) throw broken();
    for (size_t i = 0; i < count; ++i) {
      size_t start = entry_at(i).name_offset;
      size_t end = i + 1 < count ? entry_at(i + 1).name_offset : block.size();
      if (start >= end || end > block.size()) throw broken();
      std::string name = block.substr(start, end - start);
      if (i + 1 == count) name = name.c_str();  // padding
      if (name == "." || name == "..") continue;
      if (name.empty() || name.find('/') != name.npos || name.find('\0') != name.npos) {
        throw broken();
      }
      items.push_back({std::move(name), entry_at(i).nid});
    }
  }

  uint64_t root() const { return super_.root_nid; }
  int fd() const { return image_.fd.get(); }

 private:
  ResolvedImage image_;
  uint64_t size_ = 0;
  SuperBlock super_{};
};

class ImageReader {
 public:
  ImageReader(Tree& tree, ErofsWriter& writer, const fs::path& layer, const ReadCallback& on_read)
      : tree_(tree), writer_(writer), file_(layer), on_read_(on_read) {}

  void Run() { Add(".", file_.root()); }

  const std::string& entry() const { return entry_; }

 private:
  void Add(const std::string& path, uint64_t nid) {
    entry_ = path;
    ImageFile::Source source = file_.ReadInode(nid);
    auto inode = std::make_shared<Inode>();
    inode->mode = source.disk.mode;
    inode->uid = source.disk.uid;
    inode->gid = source.disk.gid;
    inode->mtime = {int64_t(source.disk.mtime), source.disk.mtime_nanoseconds};
    file_.ReadXattrs(source, *inode);
    bool is_directory = S_ISDIR(inode->mode);
    auto [first, is_new] = paths_.try_emplace(nid, path);
    if (!is_new) {
      if (is_directory) throw ImageError("it is a directory with two names");
      tree_.AddLink(path, first->second, inode->mtime);
      return;
    }
    if (S_ISLNK(inode->mode)) {
      inode->target = file_.ReadOwn(source, 4095);
    } else if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode)) {
      inode->device = source.disk.block_or_device;
    }
    tree_.Add(path, inode);
    if (S_ISREG(inode->mode)) {
      uint64_t offset = uint64_t(source.disk.block_or_device) * kBlockSize;
      file_.CheckRange(offset, source.disk.size);
      CopyData(writer_, *inode, file_.fd(), off_t(offset), source.disk.size, on_read_);
    }
    if (!is_directory) return;
    for (const ImageFile::Item& item : file_.ReadDirectory(source)) {
      Add(path == "." ? item.name : path + "/" + item.name, item.nid);
    }
  }

  Tree& tree_;
  ErofsWriter& writer_;
  ImageFile file_;
  const ReadCallback& on_read_;
  std::map<uint64_t, std::string> paths_;
  std::string entry_;
};

}  // namespace

void AddImage(Tree& tree, ErofsWriter& writer, const fs::path& layer, const ReadCallback& on_read) {
  ImageReader reader(tree, writer, layer, on_read);
  try {
    reader.Run();
  } catch (const ImageError& error) {
    throw ImageError("layer '" + layer.string() + "': '" + reader.entry() + "': " + error.what());
  }
}

ImageConfig ReadConfig(const fs::path& image) {
  Inode root;
  try {
    const ImageFile file(image);
    file.ReadXattrs(file.ReadInode(file.root()), root);
  } catch (const ImageError&) {
    return {};  // another tool packed it, or it is broken: the kernel tells
  }
  const auto config = root.xattrs.find(kConfigXattr);
  return config == root.xattrs.end() ? ImageConfig{} : ParseConfig(config->second);
}

}  // namespace zrun::images
