// Instructions that raise a floating-point exception and change no floating-point register (to
// convert to an integer, to compare): the flag stays when others use the registers in between, in
// signal frames, in handlers' returns, and in children.
#include "proc.h"

static const double kNoNumber = __builtin_nan("");

// Clears the flags, sleeps so that others use the registers, converts what is no number; then
// makes the call, and yields its result. `flags` become those after it.
static long RaiseThenCall(long number, long a, long b, long c, unsigned* flags) {
#ifdef __riscv
  static const struct timespec kNap = {0, 2000000};
  register long a0 __asm__("a0") = a;
  register long a1 __asm__("a1") = b;
  register long a2 __asm__("a2") = c;
  register long a7 __asm__("a7") = number;
  unsigned long after;
  __asm__ volatile(
      "mv t1, a0\n mv t2, a1\n mv t3, a7\n"
      "fld ft0, (%[value])\n fsflags zero\n"
      "li a7, 101\n mv a0, %[nap]\n li a1, 0\n ecall\n"  // nanosleep
      "fcvt.l.d t0, ft0\n"
      "mv a0, t1\n mv a1, t2\n mv a7, t3\n ecall\n"
      "frflags %[after]"
      : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a7), [after] "=&r"(after)
      : [value] "r"(&kNoNumber), [nap] "r"(&kNap)
      : "memory", "t0", "t1", "t2", "t3", "ft0");
  *flags = after & 0x10 ? 1 : 0;
  return a0;
#elif defined __x86_64__
  const unsigned clear = 0x1f80;
  unsigned after;
  long result = number;
  __asm__ volatile("ldmxcsr %0" : : "m"(clear));
  Nap(2);
  __asm__ volatile("cvtsd2si %[value], %%rcx\n syscall\n stmxcsr %[after]"
                   : "+a"(result), [after] "=m"(after)
                   : [value] "m"(kNoNumber), "D"(a), "S"(b), "d"(c)
                   : "memory", "rcx", "r11");
  *flags = after & 1;
  return result;
#else
  (void)number, (void)a, (void)b, (void)c;
  SKIP("not for this processor");
#endif
}

static volatile unsigned in_frame;

static void OnSignal(int number, siginfo_t* info, void* context) {
  (void)number;
  (void)info;
  const mcontext_t* from = &((ucontext_t*)context)->uc_mcontext;
#ifdef __riscv
  in_frame = from->__fpregs.__d.__fcsr & 0x10 ? 1 : 0;
  __asm__ volatile("fsflags zero");
#elif defined __x86_64__
  const unsigned clear = 0x1f80;
  in_frame = from->fpregs->mxcsr & 1;
  __asm__ volatile("ldmxcsr %0" : : "m"(clear));
#endif
}

static atomic_int stop;

// Uses the registers on the same processor, raising nothing.
static void* Disturb(void* arg) {
  volatile double value = 1;
  while (!stop) {
    value = value * 2 - 1;
    Nap(1);
  }
  return arg;
}

int main(void) {
  cpu_set_t allowed, one;
  CHECK_OK(sched_getaffinity(0, sizeof allowed, &allowed));
  int first = 0;
  while (!CPU_ISSET(first, &allowed)) first++;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  CHECK_OK(sched_setaffinity(0, sizeof one, &one));
  pthread_t other = StartThread(Disturb, NULL);
  HandleInfo(SIGUSR1, OnSignal, 0);

  const struct timespec nap = {0, 5000000};
  unsigned flags;
  for (int i = 0; i < 20; i++) {
    CHECK_EQ(RaiseThenCall(SYS_nanosleep, (long)&nap, 0, 0, &flags), 0);
    CHECK_EQ(flags, 1);

    in_frame = 0;
    CHECK_EQ(RaiseThenCall(SYS_tgkill, getpid(), Gettid(), SIGUSR1, &flags), 0);
    CHECK_EQ(in_frame, 1);
    CHECK_EQ(flags, 1);

    const pid_t pid = (pid_t)RaiseThenCall(SYS_clone, SIGCHLD, 0, 0, &flags);
    if (pid == 0) _exit(flags == 1 ? 0 : 1);
    WAIT_EXIT(pid, 0);
    CHECK_EQ(flags, 1);
  }
  stop = 1;
  JoinThread(other);
  return 0;
}
