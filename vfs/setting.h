#pragma once
#include <atomic>
#include <cstdint>

namespace zrun::vfs {

// A number of /proc/sys that root may set within bounds (EINVAL). It is at home where it counts.
struct Setting {
  std::atomic<int64_t> value;
  int64_t least, most;
  int64_t get() const { return value.load(std::memory_order_relaxed); }
};

}  // namespace zrun::vfs
