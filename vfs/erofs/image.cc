#include "vfs/erofs/image.h"

#include <array>

#include "hal/disks.h"

namespace zrun::vfs {
namespace {

constexpr uint64_t kSuperblockOffset = 1024, kSuperblockSize = 128;
constexpr uint32_t kMagic = 0xe0f5e1e2;
constexpr uint32_t kCompatChecksum = 1;
// What may be set without changing what an uncompressed image looks like: zero padding of
// compressed data, chunks, long xattr prefixes.
constexpr uint32_t kIncompatKnown = 0x1 | 0x4 | 0x40;
constexpr uint64_t kNidShift = 5;  // inodes are 32 bytes apart
constexpr uint32_t kCompactInode = 32, kExtendedInode = 64;
constexpr uint32_t kEntrySize = 12;
constexpr uint64_t kMaxSize = uint64_t{1} << 48;
constexpr uint64_t kMaxLink = 4095;
constexpr uint32_t kNoBlock = 0xffffffff;

template <typename T>
T Load(const std::byte* at) {
  T value;
  __builtin_memcpy(&value, at, sizeof(T));
  return value;  // both machines are little-endian, as the format is
}
template <typename T>
T Load(std::span<const std::byte> bytes, size_t at) {
  return Load<T>(bytes.data() + at);
}

constexpr std::array<uint32_t, 16> kCrcTable = [] {
  std::array<uint32_t, 16> table{};
  for (uint32_t i = 0; i < 16; i++) {
    uint32_t value = i;
    for (int bit = 0; bit < 4; bit++) value = value & 1 ? (value >> 1) ^ 0x82f63b78u : value >> 1;
    table[i] = value;
  }
  return table;
}();

// CRC-32C without the final inversion.
uint32_t Crc32c(uint32_t crc, std::span<const std::byte> bytes) {
  for (std::byte byte : bytes) {
    crc ^= uint32_t(byte);
    crc = (crc >> 4) ^ kCrcTable[crc & 15];
    crc = (crc >> 4) ^ kCrcTable[crc & 15];
  }
  return crc;
}

bool IsType(uint32_t mode) {
  switch (mode & kModeTypeMask) {
    case kModeRegular:
    case kModeDirectory:
    case kModeSymlink:
    case kModeChar:
    case kModeBlock:
    case kModeFifo:
    case kModeSocket:
      return true;
  }
  return false;
}

uint32_t XattrAreaSize(uint16_t count) { return count == 0 ? 0 : 12 + (count - 1u) * 4; }

// new_encode_dev of the Linux kernel.
uint64_t DecodeDevice(uint32_t value) {
  return MakeDevice((value >> 8) & 0xfff, (value & 0xff) | ((value >> 12) & 0xfff00));
}

int Compare(std::string_view a, std::string_view b) {
  const size_t size = std::min(a.size(), b.size());
  const int order = size == 0 ? 0 : __builtin_memcmp(a.data(), b.data(), size);
  if (order != 0) return order;
  return a.size() < b.size() ? -1 : a.size() > b.size();
}

}  // namespace

Result<void> ErofsImage::Check(uint64_t position, uint64_t size) const {
  const uint64_t end = source_.bytes.size();
  if (position > end || size > end - position) return Errno::kEUCLEAN;
  return {};
}

Result<std::span<const std::byte>> ErofsImage::Read(uint64_t position, uint64_t size) const {
  TRY(Check(position, size));
  if (source_.disk) TRY(hal::LoadDiskWindow(*source_.disk, position, size));
  return source_.bytes.subspan(position, size);
}

Result<ErofsImage> ErofsImage::Open(const ErofsSource& source) {
  ErofsImage image;
  image.source_ = source;
  if (!image.Check(kSuperblockOffset, kSuperblockSize).ok()) return Errno::kEINVAL;
  const auto super = TRY(image.Read(kSuperblockOffset, kSuperblockSize));
  if (Load<uint32_t>(super, 0) != kMagic) return Errno::kEINVAL;
  if (Load<uint32_t>(super, 80) & ~kIncompatKnown) return Errno::kEINVAL;
  image.block_bits_ = Load<uint8_t>(super, 12);
  image.directory_bits_ = Load<uint8_t>(super, 90);
  if (image.block_bits_ < 9 || image.block_bits_ > 16 || image.directory_bits_ > 0)
    return Errno::kEINVAL;
  if (Load<uint16_t>(super, 86) != 0) return Errno::kEINVAL;  // data on other devices
  if ((Load<uint32_t>(super, 8) & kCompatChecksum) && image.block_bits_ > 10) {
    const auto rest =
        TRY(image.Read(kSuperblockOffset, (uint64_t{1} << image.block_bits_) - kSuperblockOffset));
    constexpr std::byte kNoChecksum[4]{};
    uint32_t crc = Crc32c(~0u, rest.first(4));
    crc = Crc32c(Crc32c(crc, kNoChecksum), rest.subspan(8));
    if (crc != Load<uint32_t>(super, 4)) return Errno::kEUCLEAN;
  }
  image.root_nid_ = Load<uint16_t>(super, 14);
  image.inodes_ = Load<uint64_t>(super, 16);
  image.build_time_ = hal::Nanoseconds(Load<uint64_t>(super, 24) * uint64_t{hal::kSecond} +
                                       Load<uint32_t>(super, 32));
  image.blocks_ = Load<uint32_t>(super, 36);
  image.metadata_ = image.BlockOffset(Load<uint32_t>(super, 40));
  image.shared_xattrs_ = image.BlockOffset(Load<uint32_t>(super, 44));
  image.long_prefix_count_ = Load<uint8_t>(super, 91);
  image.long_prefixes_ = uint64_t{Load<uint32_t>(super, 92)} * 4;
  const ErofsInode root = TRY(image.ReadInode(image.root_nid_));
  if (root.type() != VnodeType::kDirectory) return Errno::kEUCLEAN;
  return image;
}

Result<ErofsInode> ErofsImage::ReadInode(uint64_t nid) const {
  if (nid > (uint64_t{1} << 58)) return Errno::kEUCLEAN;
  const uint64_t offset = metadata_ + (nid << kNidShift);
  auto raw = TRY(Read(offset, kCompactInode));
  ErofsInode inode;
  inode.nid = nid;
  const uint16_t format = Load<uint16_t>(raw, 0);
  const bool extended = format & 1;
  if (format >> 4) return Errno::kEUCLEAN;
  const unsigned layout = (format >> 1) & 7;
  if (layout != 0 && layout != 2 && layout != 4) return Errno::kEUCLEAN;
  inode.layout = ErofsLayout(layout);
  inode.mode = Load<uint16_t>(raw, 4);
  if (!IsType(inode.mode)) return Errno::kEUCLEAN;
  const uint32_t union_field = Load<uint32_t>(raw, 16);
  uint32_t inode_size = kCompactInode;
  if (extended) {
    raw = TRY(Read(offset, kExtendedInode));
    inode_size = kExtendedInode;
    inode.size = Load<uint64_t>(raw, 8);
    inode.uid = Load<uint32_t>(raw, 24);
    inode.gid = Load<uint32_t>(raw, 28);
    inode.mtime = hal::Nanoseconds(Load<uint64_t>(raw, 32) * uint64_t{hal::kSecond} +
                                   Load<uint32_t>(raw, 40));
    inode.links = Load<uint32_t>(raw, 44);
  } else {
    inode.links = Load<uint16_t>(raw, 6);
    inode.size = Load<uint32_t>(raw, 8);
    inode.uid = Load<uint16_t>(raw, 24);
    inode.gid = Load<uint16_t>(raw, 26);
    inode.mtime = build_time_;
  }
  inode.xattr_size = XattrAreaSize(Load<uint16_t>(raw, 2));
  inode.xattrs = offset + inode_size;
  TRY(Check(inode.xattrs, inode.xattr_size));
  inode.tail = inode.xattrs + inode.xattr_size;
  if (inode.size > kMaxSize) return Errno::kEUCLEAN;
  TRY(CheckLayout(inode, union_field));
  return inode;
}

// What can be checked once, so that reading need not.
Result<void> ErofsImage::CheckLayout(ErofsInode& inode, uint32_t union_field) const {
  switch (inode.type()) {
    case VnodeType::kCharDevice:
    case VnodeType::kBlockDevice:
      inode.rdev = DecodeDevice(union_field);
      inode.size = 0;
      return {};
    case VnodeType::kFifo:
    case VnodeType::kSocket:
      inode.size = 0;
      return {};
    case VnodeType::kSymlink:
      if (inode.size == 0 || inode.size > kMaxLink) return Errno::kEUCLEAN;
      break;
    default:
      break;
  }
  if (inode.layout == ErofsLayout::kChunks) {
    inode.chunk_bits = uint8_t(block_bits_ + (union_field & 31));
    inode.chunk_indexes = (union_field & 32) != 0;
    if (inode.chunk_bits > 40) return Errno::kEUCLEAN;
    const uint64_t unit = inode.chunk_indexes ? 8 : 4;
    inode.tail = (inode.tail + unit - 1) & ~(unit - 1);
    const uint64_t chunks =
        (inode.size + (uint64_t{1} << inode.chunk_bits) - 1) >> inode.chunk_bits;
    TRY(Check(inode.tail, chunks * unit));
    return {};
  }
  inode.data = BlockOffset(union_field);
  uint64_t in_blocks = inode.size;
  if (inode.layout == ErofsLayout::kFlatInline) {
    in_blocks = inode.size & ~(uint64_t{block_size()} - 1);
    TRY(Check(inode.tail, inode.size - in_blocks));
  }
  if (in_blocks > 0) TRY(Check(inode.data, in_blocks));
  return {};
}

Result<ErofsExtent> ErofsImage::Map(const ErofsInode& inode, uint64_t offset) const {
  DCHECK(offset < inode.size);
  if (inode.layout == ErofsLayout::kChunks) return MapChunk(inode, offset);
  uint64_t in_blocks = inode.size;
  if (inode.layout == ErofsLayout::kFlatInline)
    in_blocks = inode.size & ~(uint64_t{block_size()} - 1);
  ErofsExtent extent{inode.tail + (offset - in_blocks), inode.size - offset};
  if (offset < in_blocks) extent = {inode.data + offset, in_blocks - offset};
  TRY(Check(extent.position, extent.size));
  return extent;
}

Result<ErofsExtent> ErofsImage::MapChunk(const ErofsInode& inode, uint64_t offset) const {
  const uint64_t chunk = offset >> inode.chunk_bits;
  const uint64_t within = offset & ((uint64_t{1} << inode.chunk_bits) - 1);
  const uint64_t size = std::min((uint64_t{1} << inode.chunk_bits) - within, inode.size - offset);
  uint32_t block;
  if (inode.chunk_indexes) {
    const auto entry = TRY(Read(inode.tail + chunk * 8, 8));
    if (Load<uint16_t>(entry, 2) != 0) return Errno::kEUCLEAN;  // on another device
    block = Load<uint32_t>(entry, 4);
  } else {
    block = Load<uint32_t>(TRY(Read(inode.tail + chunk * 4, 4)), 0);
  }
  if (block == kNoBlock) return ErofsExtent{0, size, true};
  TRY(Check(BlockOffset(block) + within, size));
  return ErofsExtent{BlockOffset(block) + within, size};
}

// ---- Directories: blocks of entries and, behind them, names; sorted throughout.

Result<ErofsImage::DirectoryBlock> ErofsImage::ReadDirectoryBlock(const ErofsInode& directory,
                                                                  uint64_t block) const {
  const uint64_t offset = block * directory_block_size();
  const uint64_t size = std::min(directory_block_size(), directory.size - offset);
  const ErofsExtent extent = TRY(Map(directory, offset));
  if (extent.is_hole || extent.size < size || size < kEntrySize) return Errno::kEUCLEAN;
  DirectoryBlock out;
  out.bytes = TRY(Read(extent.position, size));
  const uint16_t first_name = Load<uint16_t>(out.bytes, 8);
  if (first_name < kEntrySize || first_name >= size || first_name % kEntrySize != 0)
    return Errno::kEUCLEAN;
  out.count = first_name / kEntrySize;
  return out;
}

Result<ErofsEntry> ErofsImage::EntryAt(const DirectoryBlock& block, uint32_t index) const {
  const size_t at = size_t{index} * kEntrySize;
  const size_t begin = Load<uint16_t>(block.bytes, at + 8);
  size_t end = index + 1 < block.count ? Load<uint16_t>(block.bytes, at + kEntrySize + 8)
                                       : block.bytes.size();
  if (begin < size_t{block.count} * kEntrySize || begin >= end || end > block.bytes.size())
    return Errno::kEUCLEAN;
  const char* text = reinterpret_cast<const char*>(block.bytes.data());
  std::string_view name(text + begin, end - begin);
  if (index + 1 == block.count) name = name.substr(0, name.find('\0'));
  if (name.empty() || name.size() > 255 || name.find('/') != std::string_view::npos ||
      name.find('\0') != std::string_view::npos)
    return Errno::kEUCLEAN;
  return ErofsEntry{Load<uint64_t>(block.bytes, at), Load<uint8_t>(block.bytes, at + 10), name};
}

Result<ErofsEntry> ErofsImage::FindEntry(const ErofsInode& directory, std::string_view name) const {
  const uint64_t blocks = (directory.size + directory_block_size() - 1) / directory_block_size();
  // The last block whose first name is not greater.
  uint64_t low = 0, high = blocks;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    const DirectoryBlock block = TRY(ReadDirectoryBlock(directory, middle));
    const int order = Compare(TRY(EntryAt(block, 0)).name, name);
    if (order == 0) return EntryAt(block, 0);
    if (order < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == 0) return Errno::kENOENT;
  const DirectoryBlock block = TRY(ReadDirectoryBlock(directory, low - 1));
  uint32_t first = 1, last = block.count;
  while (first < last) {
    const uint32_t middle = first + (last - first) / 2;
    const ErofsEntry entry = TRY(EntryAt(block, middle));
    const int order = Compare(entry.name, name);
    if (order == 0) return entry;
    if (order < 0) {
      first = middle + 1;
    } else {
      last = middle;
    }
  }
  return Errno::kENOENT;
}

// A cursor is the block's number and, below it, the entry's.
Result<std::optional<ErofsEntry>> ErofsImage::NextEntry(const ErofsInode& directory,
                                                        uint64_t& cursor) const {
  uint64_t number = cursor >> 16;
  uint32_t index = cursor & 0xffff;
  for (; number < kMaxSize && number * directory_block_size() < directory.size;
       number++, index = 0) {
    const DirectoryBlock block = TRY(ReadDirectoryBlock(directory, number));
    if (index >= block.count) continue;
    const ErofsEntry entry = TRY(EntryAt(block, index));
    cursor = number << 16 | (index + 1);
    return std::optional<ErofsEntry>(entry);
  }
  return std::optional<ErofsEntry>();
}

// ---- Extended attributes.

Result<std::string_view> ErofsImage::LongPrefix(unsigned index, uint8_t& base) const {
  if (index >= long_prefix_count_) return Errno::kEUCLEAN;
  uint64_t at = long_prefixes_;
  for (unsigned i = 0;; i++) {
    const uint16_t size = Load<uint16_t>(TRY(Read(at, 2)), 0);
    if (size == 0) return Errno::kEUCLEAN;
    const auto item = TRY(Read(at + 2, size));
    if (i == index) {
      base = Load<uint8_t>(item, 0);
      return std::string_view(reinterpret_cast<const char*>(item.data()) + 1, size - 1u);
    }
    at = (at + 2 + size + 3) & ~uint64_t{3};
  }
}

Result<bool> ErofsImage::VisitXattr(std::span<const std::byte> area, size_t& at,
                                    ErofsXattrVisitor& visitor) const {
  constexpr std::string_view kPrefixes[] = {
      "", "user.",    "system.posix_acl_access", "system.posix_acl_default", "trusted.",
      "", "security."};
  if (area.size() - at < 4) return Errno::kEUCLEAN;
  const size_t name_size = Load<uint8_t>(area, at);
  uint8_t prefix = Load<uint8_t>(area, at + 1);
  const size_t value_size = Load<uint16_t>(area, at + 2);
  if (area.size() - at - 4 < name_size + value_size) return Errno::kEUCLEAN;
  const std::string_view rest(reinterpret_cast<const char*>(area.data()) + at + 4, name_size);
  const auto value = area.subspan(at + 4 + name_size, value_size);
  at = std::min(area.size(), (at + 4 + name_size + value_size + 3) & ~size_t{3});
  std::string_view infix;
  if (prefix & 0x80) infix = TRY(LongPrefix(prefix & 0x7f, prefix));
  if (prefix >= std::size(kPrefixes) || kPrefixes[prefix].empty()) return false;  // not ours
  if (rest.find('\0') != std::string_view::npos || infix.find('\0') != std::string_view::npos)
    return Errno::kEUCLEAN;
  return !visitor.Visit(kPrefixes[prefix], infix, rest, value);
}

Result<void> ErofsImage::VisitXattrs(const ErofsInode& inode, ErofsXattrVisitor& visitor) const {
  if (inode.xattr_size == 0) return {};
  const auto area = TRY(Read(inode.xattrs, inode.xattr_size));
  const size_t shared = Load<uint8_t>(area, 4);
  size_t at = 12 + shared * 4;
  if (at > area.size()) return Errno::kEUCLEAN;
  for (size_t i = 0; i < shared; i++) {
    const uint64_t offset = shared_xattrs_ + uint64_t{Load<uint32_t>(area, 12 + i * 4)} * 4;
    const auto head = TRY(Read(offset, 4));
    const size_t size = size_t{4} + Load<uint8_t>(head, 0) + Load<uint16_t>(head, 2);
    size_t shared_at = 0;
    if (TRY(VisitXattr(TRY(Read(offset, size)), shared_at, visitor))) return {};
  }
  while (area.size() - at >= 4) {
    // Padding at the end of the area.
    if (Load<uint32_t>(area, at) == 0) break;
    if (TRY(VisitXattr(area, at, visitor))) return {};
  }
  return {};
}

}  // namespace zrun::vfs
