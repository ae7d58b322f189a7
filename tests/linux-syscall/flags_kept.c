// The processor's flags, GS and every register come back whole from calls, faults and handlers.
#include <sys/auxv.h>

#include "proc.h"

#ifndef __x86_64__
int main(void) { SKIP("about x86-64's flags"); }
#else
#include <asm/prctl.h>

enum { kAlignment = 1 << 18, kNested = 1 << 14, kDirection = 1 << 10 };

static char area[64] __attribute__((aligned(64)));
static volatile unsigned long seen;

static unsigned long GsBase(void) {
  unsigned long base;
  CHECK_OK(syscall(SYS_arch_prctl, ARCH_GET_GS, &base));
  return base;
}

// The flags after a call that was made with `flags` set as well.
static unsigned long FlagsAfterCall(unsigned long flags) {
  unsigned long after, number = SYS_getppid;
  __asm__ volatile(
      "lea -128(%%rsp), %%rsp\n pushfq\n or %[flags], (%%rsp)\n popfq\n"
      "syscall\n"
      "pushfq\n pop %[after]\n push $0x202\n popfq\n lea 128(%%rsp), %%rsp\n"
      : [after] "=&r"(after), "+a"(number)
      : [flags] "r"(flags)
      : "rcx", "r11", "memory", "cc");
  return after;
}

static void OnSignal(int number, siginfo_t* info, void* context) {
  (void)number;
  (void)info;
  (void)context;
  unsigned long flags;
  __asm__ volatile("pushfq\n pop %0" : "=r"(flags));
  CHECK_EQ(flags & kDirection, 0);
  seen = GsBase();
  CHECK_OK(syscall(SYS_arch_prctl, ARCH_SET_GS, area + 16));  // no part of the frame
}

static void* InThread(void* arg) {
  CHECK(GsBase() == (unsigned long)area);  // its maker's
  CHECK_OK(syscall(SYS_arch_prctl, ARCH_SET_GS, area + 32));
  Nap(2);
  CHECK(GsBase() == (unsigned long)area + 32);
  return arg;
}

// A handler that goes back to another place, with every register as it says.
static unsigned long want[16];
static void Jump(int number, siginfo_t* info, void* context) {
  (void)number;
  (void)info;
  ucontext_t* to = context;
  for (int i = 0; i <= REG_RCX; i++)
    if (i != REG_RSP) to->uc_mcontext.gregs[i] = (greg_t)(0x1111111111111111ul * (unsigned)i);
  to->uc_mcontext.gregs[REG_RIP] += 2;
}

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "again") == 0) {
    CHECK_EQ(GsBase(), 0);  // a new program starts without
    return 0;
  }
  CHECK(FlagsAfterCall(kAlignment) & kAlignment);
  CHECK(FlagsAfterCall(kNested) & kNested);
  CHECK(FlagsAfterCall(kDirection) & kDirection);
  CHECK_EQ(FlagsAfterCall(0) & (kAlignment | kNested | kDirection), 0);

  CHECK_OK(syscall(SYS_arch_prctl, ARCH_SET_GS, area));
  JoinThread(StartThread(InThread, NULL));
  CHECK(GsBase() == (unsigned long)area);
  HandleInfo(SIGUSR1, OnSignal, 0);
  CHECK_OK(raise(SIGUSR1));
  CHECK(seen == (unsigned long)area);
  CHECK(GsBase() == (unsigned long)area + 16);
  if (getauxval(AT_HWCAP2) & 2) {  // FSGSBASE: programs may set it themselves
    __asm__ volatile("wrgsbase %0" : : "r"(area + 48));
    Nap(2);
    CHECK(GsBase() == (unsigned long)area + 48);
  }
  pid_t pid = Fork();
  if (pid == 0) {
    execl("/proc/self/exe", "flags_kept", "again", NULL);
    _exit(1);
  }
  WAIT_EXIT(pid, 0);

  HandleInfo(SIGILL, Jump, 0);
  __asm__ volatile(
      "push %%rbp\n push %%rbx\n ud2\n"
      "push %%rax\n lea %[want], %%rax\n"
      "mov %%r8, 0(%%rax)\n mov %%r9, 8(%%rax)\n mov %%r10, 16(%%rax)\n mov %%r11, 24(%%rax)\n"
      "mov %%r12, 32(%%rax)\n mov %%r13, 40(%%rax)\n mov %%r14, 48(%%rax)\n mov %%r15, 56(%%rax)\n"
      "mov %%rdi, 64(%%rax)\n mov %%rsi, 72(%%rax)\n mov %%rbp, 80(%%rax)\n mov %%rbx, 88(%%rax)\n"
      "mov %%rdx, 96(%%rax)\n mov %%rcx, 112(%%rax)\n"
      "pop %%rcx\n mov %%rcx, 104(%%rax)\n pop %%rbx\n pop %%rbp\n"
      : [want] "=m"(want)
      :
      : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
        "memory", "cc");
  for (unsigned i = 0; i < 15; i++) CHECK_EQ(want[i], 0x1111111111111111ul * i);
  return 0;
}
#endif
