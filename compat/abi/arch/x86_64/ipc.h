#pragma once
#include <cstdint>

namespace zrun::compat::abi {

// The times of struct semid64_ds on x86-64 (<asm/sembuf.h>).
struct SemTimes {
  int64_t otime;
  uint64_t unused1;
  int64_t ctime;
  uint64_t unused2;
};

}  // namespace zrun::compat::abi
