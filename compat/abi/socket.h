#pragma once
#include "compat/abi/types.h"

namespace zrun::compat::abi {

struct Msghdr {
  uint64_t name;
  uint32_t name_length;
  uint32_t padding;
  uint64_t vectors;
  uint64_t vector_count;
  uint64_t control;
  uint64_t control_length;
  uint32_t flags;
  uint32_t padding2;
};
struct Mmsghdr {
  Msghdr header;
  uint32_t length;
  uint32_t padding;
};
struct Cmsghdr {
  uint64_t length;
  int32_t level;
  int32_t type;
};
constexpr uint64_t CmsgAlign(uint64_t length) { return (length + 7) & ~uint64_t{7}; }
struct Ucred {
  int32_t pid;
  uint32_t uid;
  uint32_t gid;
};
struct Linger {
  int32_t on;
  int32_t seconds;
};

}  // namespace zrun::compat::abi
