#pragma once
#include "compat/abi/types.h"
#include "compat/thread_group.h"

namespace zrun::compat {

namespace abi {
struct Rusage {
  Timeval user, system;
  int64_t max_resident_kib, shared_kib, data_kib, stack_kib;
  int64_t minor_faults, major_faults, swaps, blocks_in, blocks_out;
  int64_t messages_sent, messages_received, signals;
  int64_t voluntary_switches, involuntary_switches;
};
static_assert(sizeof(Rusage) == 144);
}  // namespace abi

inline abi::Timeval ToTimeval(hal::Nanoseconds time) {
  return {time / hal::kSecond, time % hal::kSecond / 1000};
}

// What getrusage(2) and wait4(2) tell of |sum|.
inline abi::Rusage ToRusage(const Usage& sum) {
  abi::Rusage out = {};
  out.user = ToTimeval(sum.user);
  out.system = ToTimeval(sum.system);
  out.max_resident_kib = int64_t(sum.max_resident_bytes >> 10);
  out.minor_faults = int64_t(sum.minor_faults);
  out.major_faults = int64_t(sum.major_faults);
  out.voluntary_switches = int64_t(sum.voluntary_switches);
  out.involuntary_switches = int64_t(sum.involuntary_switches);
  return out;
}

}  // namespace zrun::compat
