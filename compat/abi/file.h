#pragma once
#include <cstddef>

#include "compat/abi/types.h"
#if defined(__riscv)
#include "compat/abi/arch/riscv64/file.h"
#else
#include "compat/abi/arch/x86_64/file.h"
#endif

// Structures of the file calls that all 64-bit architectures share.
namespace zrun::compat::abi {

struct StatxTimestamp {
  int64_t seconds;
  uint32_t nanoseconds;
  int32_t reserved;
};
struct Statx {
  uint32_t mask;
  uint32_t block_size;
  uint64_t attributes;
  uint32_t links;
  uint32_t uid;
  uint32_t gid;
  uint16_t mode;
  uint16_t spare0;
  uint64_t inode;
  uint64_t size;
  uint64_t blocks;
  uint64_t attributes_mask;
  StatxTimestamp atime, btime, ctime, mtime;
  uint32_t rdev_major, rdev_minor;
  uint32_t device_major, device_minor;
  uint64_t mount_id;
  uint32_t dio_memory_align, dio_offset_align;
  uint64_t spare[12];
};

struct Statfs {
  int64_t type;
  int64_t block_size;
  uint64_t blocks, blocks_free, blocks_available;
  uint64_t files, files_free;
  int32_t id[2];
  int64_t name_max;
  int64_t fragment_size;
  int64_t flags;
  int64_t spare[4];
};

struct Flock {
  int16_t type;
  int16_t whence;
  uint32_t padding;
  int64_t start;
  int64_t length;
  int32_t pid;
  uint32_t padding2;
};

struct FOwnerEx {
  int32_t type;
  int32_t pid;
};

struct OpenHow {
  uint64_t flags;
  uint64_t mode;
  uint64_t resolve;
};

// cachestat(2), in pages.
struct CacheStatRange {
  uint64_t offset;
  uint64_t length;  // 0: to the end
};
struct CacheStat {
  uint64_t cached;
  uint64_t dirty;
  uint64_t in_write_back;
  uint64_t evicted;
  uint64_t recently_evicted;
};

struct Utimbuf {
  int64_t actime;
  int64_t modtime;
};

struct MountAttr {
  uint64_t set;
  uint64_t clear;
  uint64_t propagation;
  uint64_t userns_fd;
};

// What getdents fills; records of varying size, packed by hand.
struct Dirent;
struct Dirent64;
// The name follows a fixed head.
inline constexpr size_t kDirent64NameOffset = 19;  // ino, off, reclen, type
inline constexpr size_t kDirentNameOffset = 18;    // ino, off, reclen; the type is the last byte

struct Pollfd {
  int32_t fd;
  int16_t events;
  int16_t returned;
};

// pselect6's sixth argument.
struct SigsetArgument {
  uint64_t mask;  // an address
  uint64_t size;
};

}  // namespace zrun::compat::abi
