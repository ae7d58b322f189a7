#pragma once
#include <optional>
#include <span>

#include "hal/clock.h"
#include "hal/memory.h"
#include "vfs/types.h"

// Reads the EROFS on-disk format (Linux: Documentation/filesystems/erofs.rst), uncompressed images
// only. Nothing that an image says is believed: every offset is checked, and what cannot be is
// EUCLEAN.
namespace zrun::vfs {

class ErofsImage;

enum class ErofsLayout : uint8_t { kFlatPlain = 0, kFlatInline = 2, kChunks = 4 };

struct ErofsInode {
  uint64_t nid = 0;
  uint64_t size = 0;
  uint64_t data = 0;  // byte offset of the blocks: flat layouts
  uint64_t tail = 0;  // byte offset behind inode and xattrs: inline tail, chunk table
  uint64_t xattrs = 0;
  uint32_t xattr_size = 0;
  uint32_t mode = 0, uid = 0, gid = 0, links = 0;
  uint64_t rdev = 0;
  hal::Nanoseconds mtime = 0;
  ErofsLayout layout = ErofsLayout::kFlatPlain;
  uint8_t chunk_bits = 0;
  bool chunk_indexes = false;
  VnodeType type() const { return TypeOfMode(mode); }
};

// A piece of a file, contiguous in the image.
struct ErofsExtent {
  uint64_t position = 0;  // in the image
  uint64_t size = 0;
  bool is_hole = false;
};

// Where an image lies: in memory for ever, or on a disk, whose window its bytes then are.
struct ErofsSource {
  std::span<const std::byte> bytes;
  std::optional<hal::PhysRange> frames;  // the same as memory that guests may map
  std::optional<unsigned> disk;
};

struct ErofsEntry {
  uint64_t nid = 0;
  uint8_t file_type = 0;
  std::string_view name;
};

class ErofsXattrVisitor {
 public:
  // The name is |prefix| with |infix| and |rest| behind it. False: enough.
  virtual bool Visit(std::string_view prefix, std::string_view infix, std::string_view rest,
                     std::span<const std::byte> value) = 0;

 protected:
  ~ErofsXattrVisitor() = default;
};

class ErofsImage {
 public:
  // EINVAL if it is no EROFS or one with features that this reader has not; EUCLEAN if broken.
  static Result<ErofsImage> Open(const ErofsSource& source);

  uint64_t root_nid() const { return root_nid_; }
  uint32_t block_size() const { return 1u << block_bits_; }
  uint64_t block_count() const { return blocks_; }
  uint64_t inode_count() const { return inodes_; }
  const ErofsSource& source() const { return source_; }

  Result<ErofsInode> ReadInode(uint64_t nid) const;
  // Bytes of the image, which stay where they are.
  Result<std::span<const std::byte>> Read(uint64_t position, uint64_t size) const;
  // The piece of |inode|'s contents from |offset| on, which lies before its end.
  Result<ErofsExtent> Map(const ErofsInode& inode, uint64_t offset) const;
  // ENOENT.
  Result<ErofsEntry> FindEntry(const ErofsInode& directory, std::string_view name) const;
  // The entry at |cursor|, which is moved behind it; none at the end. "." and ".." are among them.
  Result<std::optional<ErofsEntry>> NextEntry(const ErofsInode& directory, uint64_t& cursor) const;
  Result<void> VisitXattrs(const ErofsInode& inode, ErofsXattrVisitor& visitor) const;

 private:
  struct DirectoryBlock {
    std::span<const std::byte> bytes;
    uint32_t count = 0;
  };
  Result<void> Check(uint64_t position, uint64_t size) const;
  Result<ErofsExtent> MapChunk(const ErofsInode& inode, uint64_t offset) const;
  Result<void> CheckLayout(ErofsInode& inode, uint32_t union_field) const;
  Result<DirectoryBlock> ReadDirectoryBlock(const ErofsInode& directory, uint64_t block) const;
  Result<ErofsEntry> EntryAt(const DirectoryBlock& block, uint32_t index) const;
  // True if |visitor| wants no more.
  Result<bool> VisitXattr(std::span<const std::byte> area, size_t& at,
                          ErofsXattrVisitor& visitor) const;
  Result<std::string_view> LongPrefix(unsigned index, uint8_t& base) const;
  uint64_t BlockOffset(uint64_t block) const { return block << block_bits_; }
  uint64_t directory_block_size() const { return uint64_t{1} << (block_bits_ + directory_bits_); }

  ErofsSource source_;
  uint8_t block_bits_ = 12;
  uint8_t directory_bits_ = 0;
  uint64_t root_nid_ = 0;
  uint64_t inodes_ = 0;
  uint64_t blocks_ = 0;
  uint64_t metadata_ = 0;       // byte offset of nid 0
  uint64_t shared_xattrs_ = 0;  // byte offset
  uint64_t long_prefixes_ = 0;  // byte offset
  uint8_t long_prefix_count_ = 0;
  hal::Nanoseconds build_time_ = 0;
};

}  // namespace zrun::vfs
