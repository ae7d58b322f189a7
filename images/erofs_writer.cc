#include "images/erofs_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "images/crc32c.h"
#include "images/erofs_format.h"
#include "images/error.h"

namespace zrun::images {
namespace {

using namespace erofs;

uint64_t BlocksFor(uint64_t size) { return size / kBlockSize + (size % kBlockSize != 0); }

template <typename T>
void Append(std::string& to, const T& value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void PadTo(std::string& text, size_t alignment) {
  text.resize((text.size() + alignment - 1) / alignment * alignment);
}

FileType TypeOf(const Inode& inode) {
  switch (inode.mode & S_IFMT) {
    case S_IFDIR:
      return kDirectory;
    case S_IFLNK:
      return kSymlink;
    case S_IFCHR:
      return kCharacterDevice;
    case S_IFBLK:
      return kBlockDevice;
    case S_IFIFO:
      return kFifo;
    case S_IFSOCK:
      return kSocket;
    default:
      return kRegular;
  }
}

// The namespaces that Linux has; others (macOS writes some into its archives) cannot be stored and
// are left out.
struct XattrPrefix {
  std::string_view text;
  XattrIndex index;
  bool whole;
};
constexpr XattrPrefix kXattrPrefixes[] = {
    {"user.", kUser, false},
    {"trusted.", kTrusted, false},
    {"security.", kSecurity, false},
    {"system.posix_acl_access", kPosixAclAccess, true},
    {"system.posix_acl_default", kPosixAclDefault, true},
};

std::string XattrBytes(const Inode& inode) {
  std::string bytes;
  for (const auto& [name, value] : inode.xattrs) {
    for (const XattrPrefix& prefix : kXattrPrefixes) {
      bool matches =
          prefix.whole ? name == prefix.text : name.starts_with(prefix.text) && name != prefix.text;
      if (!matches) continue;
      if (name.size() > kNameMax || value.size() > UINT16_MAX) {
        throw ImageError("extended attribute '" + name.substr(0, kNameMax) + "' is too large");
      }
      if (bytes.empty()) Append(bytes, XattrHeader{});
      std::string_view rest = std::string_view(name).substr(prefix.text.size());
      Append(bytes, XattrEntry{uint8_t(rest.size()), prefix.index, uint16_t(value.size())});
      bytes.append(rest).append(value);
      PadTo(bytes, 4);
    }
  }
  return bytes;
}

uint16_t XattrCount(const std::string& bytes) {
  if (bytes.empty()) return 0;
  size_t count = 1 + (bytes.size() - sizeof(XattrHeader)) / 4;
  if (count > UINT16_MAX) throw ImageError("the extended attributes of one file are too large");
  return uint16_t(count);
}

// A block: entries, then names. The names run through the whole directory in ascending order.
std::string DirectoryBytes(const Inode& directory) {
  struct Item {
    std::string_view name;
    const Inode* inode;
  };
  std::vector<Item> items{{".", &directory}, {"..", directory.parent}};
  for (const auto& [name, child] : directory.names) items.push_back({name, child.inode.get()});
  std::sort(items.begin(), items.end(),
            [](const Item& a, const Item& b) { return a.name < b.name; });

  std::string bytes;
  for (size_t first = 0; first < items.size();) {
    size_t last = first;
    size_t used = 0;
    while (last < items.size() &&
           used + sizeof(DirectoryEntry) + items[last].name.size() <= kBlockSize) {
      used += sizeof(DirectoryEntry) + items[last].name.size();
      ++last;
    }
    PadTo(bytes, kBlockSize);
    size_t name_offset = (last - first) * sizeof(DirectoryEntry);
    for (size_t i = first; i < last; ++i) {
      Append(bytes, DirectoryEntry{items[i].inode->nid, uint16_t(name_offset),
                                   TypeOf(*items[i].inode), 0});
      name_offset += items[i].name.size();
    }
    for (size_t i = first; i < last; ++i) bytes.append(items[i].name);
    first = last;
  }
  return bytes;
}

// What belongs to the inode itself rather than to a file's data.
std::string OwnBytes(const Inode& inode) {
  if (S_ISDIR(inode.mode)) return DirectoryBytes(inode);
  if (S_ISLNK(inode.mode)) return inode.target;
  return {};
}

// The last, partial block of |own_size| bytes lies behind the inode when all of it fits a block.
bool IsInline(size_t own_size, size_t xattr_size) {
  size_t tail = own_size % kBlockSize;
  return tail != 0 && sizeof(ExtendedInode) + xattr_size + tail <= kBlockSize;
}

// Every inode once, the children of a directory side by side. Counts links.
std::vector<Inode*> Enumerate(Inode& root) {
  std::vector<Inode*> inodes{&root};
  std::vector<Inode*> todo{&root};
  while (!todo.empty()) {
    Inode* directory = todo.back();
    todo.pop_back();
    directory->links += 2;
    size_t pending = todo.size();
    for (auto& [name, child] : directory->names) {
      Inode* inode = child.inode.get();
      if (S_ISDIR(inode->mode)) {
        ++directory->links;
        todo.push_back(inode);
        inodes.push_back(inode);
      } else if (inode->links++ == 0) {
        inodes.push_back(inode);
      }
    }
    std::reverse(todo.begin() + ptrdiff_t(pending), todo.end());
  }
  return inodes;
}

}  // namespace

ErofsWriter::ErofsWriter(std::filesystem::path output)
    : name_(output.string()), file_(std::move(output)) {}

uint32_t ErofsWriter::Allocate(uint64_t size) {
  uint64_t blocks = BlocksFor(size);
  if (blocks == 0) return 0;
  for (auto it = free_.begin(); it != free_.end(); ++it) {
    auto [first, length] = *it;
    if (length < blocks) continue;
    free_.erase(it);
    if (length > blocks) free_[first + blocks] = length - blocks;
    return uint32_t(first);
  }
  uint64_t first = end_block_;
  if (blocks > UINT32_MAX - first) throw ImageError("more data than an EROFS image can hold");
  end_block_ += blocks;
  return uint32_t(first);
}

void ErofsWriter::Free(uint32_t first_block, uint64_t size) {
  uint64_t first = first_block;
  uint64_t length = BlocksFor(size);
  if (length == 0) return;
  off_t offset = off_t(first * kBlockSize);
  off_t bytes = off_t(length * kBlockSize);
  if (fallocate(file_.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, bytes) != 0) {
    std::string zeros(kBlockSize, '\0');
    for (uint64_t i = 0; i < length; ++i)
      Write(first_block, i * kBlockSize, zeros.data(), kBlockSize);
  }
  auto next = free_.lower_bound(first);
  if (next != free_.begin()) {
    auto previous = std::prev(next);
    if (previous->first + previous->second == first) {
      first = previous->first;
      length += previous->second;
      free_.erase(previous);
    }
  }
  if (next != free_.end() && next->first == first + length) {
    length += next->second;
    free_.erase(next);
  }
  if (first + length == end_block_) {
    end_block_ = first;
  } else {
    free_[first] = length;
  }
}

void ErofsWriter::Write(uint32_t first_block, uint64_t offset, const void* data, size_t size) {
  hash_.Update(data, size);
  WriteFully(file_.fd(), data, size, off_t(uint64_t(first_block) * kBlockSize + offset), name_);
}

std::string ErofsWriter::Read(uint32_t first_block, uint64_t size) {
  std::string data(size, '\0');  // what is missing at the end of the file is a hole
  ReadFully(file_.fd(), data.data(), size, off_t(uint64_t(first_block) * kBlockSize), name_);
  return data;
}

void ErofsWriter::Finish(Inode& root) {
  std::vector<Inode*> inodes = Enumerate(root);
  Place(inodes);
  for (const Inode* inode : inodes) WriteInode(*inode);

  // After a Free() the file may be longer than its data.
  uint64_t meta_block = end_block_;
  uint64_t blocks = meta_block + BlocksFor(meta_.size());
  if (blocks > UINT32_MAX) throw ImageError("more data than an EROFS image can hold");
  PadTo(meta_, kBlockSize);
  Write(uint32_t(meta_block), 0, meta_.data(), meta_.size());
  if (ftruncate(file_.fd(), off_t(blocks * kBlockSize)) != 0) {
    throw SystemError("cannot write '" + name_ + "'");
  }
  WriteSuperBlock(root, inodes.size(), uint32_t(meta_block));
  file_.Publish();
}

// Gives every inode its nid, and blocks to what does not lie behind the inode.
void ErofsWriter::Place(const std::vector<Inode*>& inodes) {
  // Metadata begins with an unused slot: nid 0 would be inode number 0, which readers of
  // directories skip.
  uint64_t position = sizeof(ExtendedInode);
  for (size_t i = 0; i < inodes.size(); ++i) {
    Inode& inode = *inodes[i];
    size_t xattr_size = XattrBytes(inode).size();
    size_t own_size = OwnBytes(inode).size();
    size_t length = sizeof(ExtendedInode) + xattr_size;
    if (!S_ISREG(inode.mode)) inode.size = own_size;
    if (IsInline(own_size, xattr_size)) {
      length += own_size % kBlockSize;
      if (position % kBlockSize + length > kBlockSize) {
        position = BlocksFor(position) * kBlockSize;
      }
      inode.first_block = Allocate(own_size / kBlockSize * kBlockSize);
    } else if (!S_ISREG(inode.mode)) {
      inode.first_block = Allocate(own_size);
    }
    inode.nid = position / kSlotSize;
    inode.number = uint32_t(i + 1);
    // 64-byte steps, so that no inode straddles two blocks.
    position = (position + length + sizeof(ExtendedInode) - 1) / sizeof(ExtendedInode) *
               sizeof(ExtendedInode);
  }
  meta_.assign(position, '\0');
}

void ErofsWriter::WriteInode(const Inode& inode) {
  std::string xattrs = XattrBytes(inode);
  std::string own = OwnBytes(inode);
  bool is_inline = IsInline(own.size(), xattrs.size());
  bool is_device = S_ISCHR(inode.mode) || S_ISBLK(inode.mode);
  ExtendedInode disk{};
  disk.format = Format(is_inline ? Layout::kFlatInline : Layout::kFlatPlain);
  disk.xattr_count = XattrCount(xattrs);
  disk.mode = uint16_t(inode.mode);
  disk.size = inode.size;
  disk.block_or_device = is_device ? inode.device : inode.first_block;
  disk.number = inode.number;
  disk.uid = inode.uid;
  disk.gid = inode.gid;
  disk.mtime = uint64_t(inode.mtime.seconds);
  disk.mtime_nanoseconds = inode.mtime.nanoseconds;
  disk.links = inode.links;

  char* position = meta_.data() + inode.nid * kSlotSize;
  memcpy(position, &disk, sizeof disk);
  position += sizeof disk;
  xattrs.copy(position, xattrs.size());
  size_t in_blocks = own.size();
  if (is_inline) {
    in_blocks = own.size() / kBlockSize * kBlockSize;
    own.copy(position + xattrs.size(), own.size() - in_blocks, in_blocks);
  }
  if (in_blocks != 0) Write(inode.first_block, 0, own.data(), in_blocks);
}

void ErofsWriter::WriteSuperBlock(const Inode& root, size_t inodes, uint32_t meta_block) {
  SuperBlock super{};
  super.magic = kMagic;
  super.feature_compat = kCompatSuperChecksum | kCompatMtime;
  super.block_bits = kBlockBits;
  super.root_nid = uint16_t(root.nid);
  super.inodes = inodes;
  super.blocks = uint32_t(meta_block + meta_.size() / kBlockSize);
  super.meta_block = meta_block;
  // The volume is its contents: a version 8 UUID (RFC 9562) of their hash.
  Sha256::Digest digest = hash_.Finish();
  memcpy(super.uuid, digest.data(), sizeof super.uuid);
  super.uuid[6] = uint8_t((super.uuid[6] & 0x0f) | 0x80);
  super.uuid[8] = uint8_t((super.uuid[8] & 0x3f) | 0x80);

  // The checksum covers the block from the superblock on, without a final inversion.
  std::string block(kBlockSize - kSuperOffset, '\0');
  memcpy(block.data(), &super, sizeof super);
  super.checksum = Crc32c(block);
  memcpy(block.data(), &super, sizeof super);
  WriteFully(file_.fd(), block.data(), block.size(), kSuperOffset, name_);
}

}  // namespace zrun::images
