#pragma once
#include <cstdint>

#include "compat/abi/arch.h"
#include "compat/abi/signal.h"
#include "compat/abi/types.h"

// Structures of signals', timers' and futexes' calls.
namespace zrun::compat::abi {

struct Itimerval {
  Timeval interval;
  Timeval value;
};
struct RobustListHead {
  uint64_t next;
  int64_t offset;
  uint64_t pending;
};
struct FutexWaitv {
  uint64_t value;
  uint64_t address;
  uint32_t flags;
  uint32_t reserved;
};

// struct lsm_ctx of <linux/lsm.h>, without its text.
struct LsmContext {
  uint64_t module;
  uint64_t flags;
  uint64_t length;  // of all
  uint64_t text_length;
};

// riscv_hwprobe(2): struct riscv_hwprobe.
struct ProbePair {
  int64_t key;
  uint64_t value;
};

}  // namespace zrun::compat::abi
