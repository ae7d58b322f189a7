// SIGILL, SIGTRAP and SIGFPE from instructions: codes, addresses, and skipping them in the handler.
#include "proc.h"

static siginfo_t info;
static uintptr_t program_counter;
static volatile int skip;
static volatile int count;

static uintptr_t* Counter(ucontext_t* context) {
#if defined(__x86_64__)
  return (uintptr_t*)&context->uc_mcontext.gregs[REG_RIP];
#elif defined(__riscv)
  return (uintptr_t*)&context->uc_mcontext.__gregs[REG_PC];
#endif
}

static void OnFault(int number, siginfo_t* arg, void* context) {
  (void)number;
  info = *arg;
  count++;
  program_counter = *Counter(context);
  *Counter(context) += (uintptr_t)skip;
}

int main(void) {
  HandleInfo(SIGILL, OnFault, 0);
  HandleInfo(SIGTRAP, OnFault, 0);
  HandleInfo(SIGFPE, OnFault, 0);
#if defined(__x86_64__)
  uintptr_t label;
  skip = 2;
  __asm__ volatile("lea 1f(%%rip), %0\n1: ud2" : "=r"(label) : : "memory");
  CHECK_EQ(count, 1);
  CHECK_EQ(info.si_signo, SIGILL);
  CHECK_EQ(info.si_code, ILL_ILLOPN);
  CHECK_EQ(program_counter, label);
  CHECK_EQ((uintptr_t)info.si_addr, label);

  // int3 is a trap: the counter is behind it already.
  skip = 0;
  __asm__ volatile("lea 1f(%%rip), %0\nint3\n1:" : "=r"(label) : : "memory");
  CHECK_EQ(count, 2);
  CHECK_EQ(info.si_signo, SIGTRAP);
  CHECK_EQ(info.si_code, SI_KERNEL);
  CHECK_EQ(program_counter, label);

  // Division by zero, and the quotient that does not fit.
  skip = 2;
  int quotient, remainder;
  __asm__ volatile("lea 1f(%%rip), %2\n1: idiv %%ecx"
                   : "=a"(quotient), "=d"(remainder), "=r"(label)
                   : "0"(1), "1"(0), "c"(0)
                   : "memory");
  CHECK_EQ(info.si_signo, SIGFPE);
  CHECK_EQ(info.si_code, FPE_INTDIV);
  CHECK_EQ((uintptr_t)info.si_addr, label);
  CHECK_EQ(quotient, 1);  // untouched
  __asm__ volatile("idiv %%ecx"
                   : "=a"(quotient), "=d"(remainder)
                   : "0"(INT_MIN), "1"(-1), "c"(-1)
                   : "memory");
  CHECK_EQ(count, 4);
  CHECK_EQ(info.si_code, FPE_INTDIV);

  // An SSE exception that is let through: division by zero and an invalid operation.
  uint32_t saved, unmasked;
  skip = 4;
  double one = 1, zero = 0;
  __asm__ volatile("stmxcsr %0" : "=m"(saved));
  unmasked = saved & ~(1u << 9);
  __asm__ volatile("ldmxcsr %1\n divsd %2, %0" : "+x"(one) : "m"(unmasked), "x"(zero) : "memory");
  __asm__ volatile("ldmxcsr %0" : : "m"(saved));
  CHECK_EQ(count, 5);
  CHECK_EQ(info.si_signo, SIGFPE);
  CHECK_EQ(info.si_code, FPE_FLTDIV);

  // Single stepping with the trap flag.
  skip = 0;
  int before = count;
  __asm__ volatile(
      "pushfq\n orq $0x100, (%%rsp)\n popfq\n nop\n"
      "pushfq\n andq $~0x100, (%%rsp)\n popfq\n"
      :
      :
      : "memory", "cc");
  CHECK(count >= before + 3);
  CHECK_EQ(info.si_signo, SIGTRAP);
  CHECK_EQ(info.si_code, TRAP_TRACE);
#elif defined(__riscv)
  skip = 4;
  __asm__ volatile(".word 0");
  CHECK_EQ(info.si_signo, SIGILL);
  CHECK_EQ(info.si_code, ILL_ILLOPC);
  __asm__ volatile(".option push\n.option norvc\nebreak\n.option pop");
  CHECK_EQ(info.si_signo, SIGTRAP);
  CHECK_EQ(info.si_code, TRAP_BRKPT);
  CHECK_EQ(count, 2);
#endif
  // By default each kills with its own signal; also when it is blocked.
  CHECK_OK(setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}));
  Handle(SIGILL, SIG_DFL, 0);
  Handle(SIGFPE, SIG_DFL, 0);
  IN_CHILD_KILLED_BY(SIGILL, __asm__ volatile(".word 0x0b0f, 0"));
#if defined(__x86_64__)
  IN_CHILD_KILLED_BY(SIGFPE, {
    Mask(SIG_BLOCK, SIGFPE);
    __asm__ volatile("idiv %%ecx" : : "a"(1), "d"(0), "c"(0) : "memory");
  });
#endif
  Handle(SIGABRT, SIG_IGN, 0);
  IN_CHILD_KILLED_BY(SIGABRT, abort());
  return 0;
}
