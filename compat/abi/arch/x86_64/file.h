#pragma once
#include <cstdint>

namespace zrun::compat::abi {

// struct stat of x86-64 (<asm/stat.h>).
struct Stat {
  uint64_t device;
  uint64_t inode;
  uint64_t links;
  uint32_t mode;
  uint32_t uid;
  uint32_t gid;
  uint32_t padding;
  uint64_t rdev;
  int64_t size;
  int64_t block_size;
  int64_t blocks;
  int64_t atime, atime_nanoseconds;
  int64_t mtime, mtime_nanoseconds;
  int64_t ctime, ctime_nanoseconds;
  int64_t unused[3];
};

// Packed on x86-64 only, so that 32-bit programs see the same layout.
struct [[gnu::packed]] EpollEvent {
  uint32_t events;
  uint64_t data;
};

}  // namespace zrun::compat::abi
