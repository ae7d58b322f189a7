#pragma once
#include <cstdint>

namespace zrun::compat::abi {

// The times of struct semid64_ds (<asm-generic/sembuf.h>).
struct SemTimes {
  int64_t otime;
  int64_t ctime;
};

}  // namespace zrun::compat::abi
