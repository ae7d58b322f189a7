#pragma once
#include <cstdint>

namespace zrun::compat::abi {

// struct stat of <asm-generic/stat.h>.
struct Stat {
  uint64_t device;
  uint64_t inode;
  uint32_t mode;
  uint32_t links;
  uint32_t uid;
  uint32_t gid;
  uint64_t rdev;
  uint64_t padding;
  int64_t size;
  int32_t block_size;
  int32_t padding2;
  int64_t blocks;
  int64_t atime, atime_nanoseconds;
  int64_t mtime, mtime_nanoseconds;
  int64_t ctime, ctime_nanoseconds;
  uint32_t unused[2];
};

struct EpollEvent {
  uint32_t events;
  uint32_t padding;
  uint64_t data;
};

}  // namespace zrun::compat::abi
