// What guests call without entering the kernel (vdso(7)): time from the counter, and code that
// signal handlers return to. A shared object of its own, mapped by the kernel behind its data page.
#include "hal/riscv64/vdso_data.h"

#define EXPORT __attribute__((visibility("default"), used))
enum {
  kGetCpu = 168,
  kClockGetTime = 113,
  kClockGetRes = 114,
  kGetTimeOfDay = 169,
  kFlushIcache = 259
};

extern const struct VdsoData vdso_data __attribute__((visibility("hidden")));

struct Timespec {
  long seconds, nanoseconds;
};
struct Timeval {
  long seconds, microseconds;
};

static long Call(long number, long argument0, long argument1, long argument2) {
  register long a0 __asm__("a0") = argument0;
  register long a1 __asm__("a1") = argument1;
  register long a2 __asm__("a2") = argument2;
  register long a7 __asm__("a7") = number;
  __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
  return a0;
}

static long Monotonic(void) {
  unsigned long ticks;
  __asm__ volatile("rdtime %0" : "=r"(ticks) : : "memory");
  return (long)((unsigned __int128)ticks * vdso_data.multiplier >> vdso_data.shift);
}

static void Split(long nanoseconds, struct Timespec* out) {
  out->seconds = nanoseconds / 1000000000;
  out->nanoseconds = nanoseconds % 1000000000;
}

EXPORT int __vdso_clock_gettime(int clock, struct Timespec* out) {
  switch (clock) {
    case 0:   // CLOCK_REALTIME
    case 5:   // CLOCK_REALTIME_COARSE
    case 11:  // CLOCK_TAI
      Split(Monotonic() + vdso_data.realtime_offset, out);
      return 0;
    case 1:  // CLOCK_MONOTONIC
    case 4:  // CLOCK_MONOTONIC_RAW
    case 6:  // CLOCK_MONOTONIC_COARSE
    case 7:  // CLOCK_BOOTTIME
      Split(Monotonic(), out);
      return 0;
    default:
      return (int)Call(kClockGetTime, clock, (long)out, 0);
  }
}

EXPORT int __vdso_gettimeofday(struct Timeval* out, void* zone) {
  if (zone) return (int)Call(kGetTimeOfDay, (long)out, (long)zone, 0);
  if (!out) return 0;
  struct Timespec now;
  Split(Monotonic() + vdso_data.realtime_offset, &now);
  out->seconds = now.seconds;
  out->microseconds = now.nanoseconds / 1000;
  return 0;
}

EXPORT int __vdso_clock_getres(int clock, struct Timespec* out) {
  return (int)Call(kClockGetRes, clock, (long)out, 0);
}

EXPORT int __vdso_getcpu(unsigned* cpu, unsigned* node, void* cache) {
  return (int)Call(kGetCpu, (long)cpu, (long)node, (long)cache);
}

EXPORT int __vdso_flush_icache(void* begin, void* end, unsigned long flags) {
  return (int)Call(kFlushIcache, (long)begin, (long)end, (long)flags);
}

// Unwinders know a signal frame by these two instructions.
__asm__(
    ".section .text.sigreturn, \"ax\"\n"
    ".globl __vdso_rt_sigreturn\n"
    ".type __vdso_rt_sigreturn, @function\n"
    "__vdso_rt_sigreturn:\n"
    ".option push\n.option norvc\n"
    "  li a7, 139\n"
    "  ecall\n"
    ".option pop\n"
    ".size __vdso_rt_sigreturn, . - __vdso_rt_sigreturn\n");
