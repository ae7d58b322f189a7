#pragma once
#include <cstdint>

#include "base/result.h"

// The host calls that the kernel makes. Each carries the container's cookie where the call ignores
// it (r9, or the upper half of mmap's fd and futex's val3), so that guest code which jumps to one
// of these instructions is caught by the second seccomp filter (runtime-cli/seccomp_filters.cc
// lists them).
extern "C" uint64_t host_cookie;
extern "C" uint64_t xsave_mask;

namespace zrun::hal {

enum class HostNumber : uint64_t {
  kRead = 0,
  kWrite = 1,
  kClose = 3,
  kFstat = 5,
  kLseek = 8,
  kMmap = 9,
  kMprotect = 10,
  kMunmap = 11,
  kRtSigaction = 13,
  kRtSigprocmask = 14,
  kPread = 17,
  kPwrite = 18,
  kSchedYield = 24,
  kMremap = 25,
  kMincore = 27,
  kMadvise = 28,
  kSendmsg = 46,
  kRecvmsg = 47,
  kExit = 60,
  kFcntl = 72,
  kFlock = 73,
  kFsync = 74,
  kFdatasync = 75,
  kFtruncate = 77,
  kGetrusage = 98,
  kFstatfs = 138,
  kSetpriority = 141,
  kPrctl = 157,
  kArchPrctl = 158,
  kGettid = 186,
  kFutex = 202,
  kSchedSetaffinity = 203,
  kGetdents64 = 217,
  kClockGettime = 228,
  kExitGroup = 231,
  kEpollWait = 232,
  kEpollCtl = 233,
  kTgkill = 234,
  kPpoll = 271,
  kFallocate = 285,
  kEpollCreate1 = 291,
  kGetcpu = 309,
  kSeccomp = 317,
  kGetrandom = 318,
  kMembarrier = 324,
  kPkeyMprotect = 329,
  kSigaltstack = 131,
  kGetpid = 39,
  kGetppid = 110,
  kSendto = 44,
  kUname = 63,
};

inline int64_t HostCallRaw(HostNumber number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
                           uint64_t a4, uint64_t a5) {
  int64_t result;
  register uint64_t r10 asm("r10") = a3;
  register uint64_t r8 asm("r8") = a4;
  register uint64_t r9 asm("r9") = a5;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(uint64_t(number)), "D"(a0), "S"(a1), "d"(a2), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}
// Up to five arguments: the cookie goes into the sixth.
template <typename... Args>
int64_t HostCall(HostNumber number, Args... args) {
  static_assert(sizeof...(Args) <= 5);
  const uint64_t values[6] = {uint64_t(args)...};
  return HostCallRaw(number, values[0], values[1], values[2], values[3], values[4], host_cookie);
}
inline int64_t HostMmap(uint64_t address, uint64_t size, int protection, int flags, int fd,
                        uint64_t offset) {
  return HostCallRaw(HostNumber::kMmap, address, size, uint64_t(protection), uint64_t(flags),
                     uint32_t(fd) | host_cookie << 32, offset);
}
inline int64_t HostFutex(const void* word, int operation, uint32_t value, const void* timeout,
                         uint32_t value3) {
  return HostCallRaw(HostNumber::kFutex, uint64_t(word), uint64_t(operation), value,
                     uint64_t(timeout), 0, value3 | host_cookie << 32);
}
inline Errno HostError(int64_t result) { return Errno(uint16_t(-result)); }
inline Result<void> HostResult(int64_t result) {
  if (result < 0) return HostError(result);
  return {};
}
inline Result<size_t> HostSize(int64_t result) {
  if (result < 0) return HostError(result);
  return size_t(result);
}

}  // namespace zrun::hal
