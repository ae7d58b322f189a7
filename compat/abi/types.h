#pragma once
#include <cstdint>

// Linux's structures as they lie in guest memory, hand-written and checked against the system's
// headers by compat/abi/abi_test.cc. Those that differ between architectures are in
// compat/abi/arch/<cpu>/. Families with many structures have their own header beside this one.
namespace zrun::compat::abi {

struct Timespec {
  int64_t seconds;
  int64_t nanoseconds;
};
struct Timeval {
  int64_t seconds;
  int64_t microseconds;
};
struct Itimerspec {
  Timespec interval;
  Timespec value;
};
struct Iovec {
  uint64_t base;
  uint64_t length;
};

}  // namespace zrun::compat::abi
