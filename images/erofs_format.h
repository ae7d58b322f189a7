#pragma once

#include <bit>
#include <cstdint>

// The part of the EROFS on-disk format that the packer emits; see Linux's
// Documentation/filesystems/erofs.rst.
namespace zrun::images::erofs {

static_assert(std::endian::native == std::endian::little, "the structures are written as they lie");

inline constexpr uint32_t kMagic = 0xE0F5E1E2;
inline constexpr uint32_t kSuperOffset = 1024;
inline constexpr uint32_t kBlockBits = 12;
inline constexpr uint32_t kBlockSize = 1u << kBlockBits;
inline constexpr uint32_t kSlotSize = 32;  // a nid counts these
inline constexpr uint32_t kNameMax = 255;

inline constexpr uint32_t kCompatSuperChecksum = 1;
inline constexpr uint32_t kCompatMtime = 2;

struct SuperBlock {
  uint32_t magic;
  uint32_t checksum;
  uint32_t feature_compat;
  uint8_t block_bits;
  uint8_t extension_slots;
  uint16_t root_nid;
  uint64_t inodes;
  uint64_t build_time;
  uint32_t build_time_nanoseconds;
  uint32_t blocks;
  uint32_t meta_block;
  uint32_t xattr_block;
  uint8_t uuid[16];
  uint8_t volume_name[16];
  uint32_t feature_incompat;
  uint16_t compression_algorithms;
  uint16_t extra_devices;
  uint16_t device_table_slot;
  uint8_t directory_block_bits;
  uint8_t xattr_prefix_count;
  uint32_t xattr_prefix_start;
  uint64_t packed_nid;
  uint8_t reserved[24];
};
static_assert(sizeof(SuperBlock) == 128);

enum class Layout : uint16_t { kFlatPlain = 0, kFlatInline = 2 };
inline constexpr uint16_t kExtended = 1;

constexpr uint16_t Format(Layout layout) { return uint16_t(kExtended | (uint16_t(layout) << 1)); }

struct ExtendedInode {
  uint16_t format;
  uint16_t xattr_count;
  uint16_t mode;
  uint16_t reserved;
  uint64_t size;
  uint32_t block_or_device;
  uint32_t number;
  uint32_t uid;
  uint32_t gid;
  uint64_t mtime;
  uint32_t mtime_nanoseconds;
  uint32_t links;
  uint8_t reserved2[16];
};
static_assert(sizeof(ExtendedInode) == 64);

struct __attribute__((packed)) DirectoryEntry {
  uint64_t nid;
  uint16_t name_offset;
  uint8_t file_type;
  uint8_t reserved;
};
static_assert(sizeof(DirectoryEntry) == 12);

enum FileType : uint8_t {
  kRegular = 1,
  kDirectory,
  kCharacterDevice,
  kBlockDevice,
  kFifo,
  kSocket,
  kSymlink
};

struct XattrHeader {
  uint32_t name_filter;
  uint8_t shared_count;
  uint8_t reserved[7];
};
static_assert(sizeof(XattrHeader) == 12);

struct XattrEntry {
  uint8_t name_length;
  uint8_t name_index;
  uint16_t value_size;
};
static_assert(sizeof(XattrEntry) == 4);

enum XattrIndex : uint8_t {
  kUser = 1,
  kPosixAclAccess = 2,
  kPosixAclDefault = 3,
  kTrusted = 4,
  kSecurity = 6
};

}  // namespace zrun::images::erofs
