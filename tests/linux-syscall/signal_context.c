// The handler's ucontext: registers it changes are changed after the return; so are mask and vector
// state.
#include "proc.h"

#ifdef __x86_64__
#include <sys/ucontext.h>

static volatile uint64_t marker;

static void Change(int number, siginfo_t* info, void* where) {
  (void)number, (void)info;
  ucontext_t* context = where;
  greg_t* regs = context->uc_mcontext.gregs;
  marker = (uint64_t)regs[REG_RBX];
  regs[REG_RBX] = 0x1234567890abcdef;
  regs[REG_R15] = -15;
  regs[REG_RCX] = 0xcc;
  regs[REG_R11] = 0x11;
  regs[REG_RIP] += 2;
  regs[REG_EFL] |= 1;
  sigaddset(&context->uc_sigmask, SIGUSR2);
  // The first vector register, in the saved state.
  context->uc_mcontext.fpregs->_xmm[5].element[0] = 0xabcd;
  CHECK(context->uc_mcontext.fpregs->mxcsr != 0);
}

static void TestRegisters(void) {
  HandleInfo(SIGILL, Change, 0);
  uint64_t rbx = 0x42, rcx, r11, r15, carry = 0;
  uint32_t xmm = 0;
  register uint64_t r15_register __asm__("r15") = 1;
  register uint64_t r11_register __asm__("r11") = 2;
  __asm__ volatile("clc\n ud2\n setc %%al\n movzbl %%al, %%eax\n movd %%xmm5, %%edx"
                   : "+b"(rbx), "+a"(carry), "=c"(rcx), "+r"(r15_register), "+r"(r11_register),
                     "=d"(xmm)
                   :
                   : "xmm5", "memory", "cc");
  r11 = r11_register;
  r15 = r15_register;
  CHECK_EQ(marker, 0x42);
  CHECK_EQ(rbx, 0x1234567890abcdef);
  CHECK_EQ(r15, -15);
  CHECK_EQ(rcx, 0xcc);
  CHECK_EQ(r11, 0x11);
  CHECK_EQ(carry, 1);
  CHECK_EQ(xmm, 0xabcd);
  sigset_t now;
  CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &now));
  CHECK_EQ(sigismember(&now, SIGUSR2), 1);
  Mask(SIG_UNBLOCK, SIGUSR2);
}

static void Elsewhere(void) { _exit(61); }
static void Jump(int number, siginfo_t* info, void* where) {
  (void)number, (void)info;
  ucontext_t* context = where;
  context->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)Elsewhere;
  context->uc_mcontext.gregs[REG_RSP] = (context->uc_mcontext.gregs[REG_RSP] & ~15ll) - 8 - 256;
}

static void Corrupt(int number, siginfo_t* info, void* where) {
  (void)info;
  greg_t* regs = ((ucontext_t*)where)->uc_mcontext.gregs;
  if (number == SIGUSR1) regs[REG_RIP] = (greg_t)0x8000000000000000;
  if (number == SIGUSR2) regs[REG_CSGSFS] = 0;
}

static void CheckAlignment(int number, siginfo_t* info, void* where) {
  (void)number, (void)info, (void)where;
  CHECK_EQ((uintptr_t)__builtin_frame_address(0) % 16, 0);
}

static void TestHostile(void) {
  CHECK_OK(setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}));
  IN_CHILD_KILLED_BY(SIGSEGV, {
    HandleInfo(SIGUSR1, Corrupt, 0);
    raise(SIGUSR1);
  });
  // rt_sigreturn without a frame: the stack is no frame, the program dies, nothing else does.
  IN_CHILD_KILLED_BY(SIGSEGV, {
    static char zeros[4096] __attribute__((aligned(16)));
    __asm__ volatile("mov %0, %%rsp\n mov $15, %%eax\n syscall" : : "r"(zeros + 2048));
    for (;;) pause();
  });
  IN_CHILD_KILLED_BY(SIGSEGV, {
    __asm__ volatile("mov $64, %esp\n mov $15, %eax\n syscall");
    for (;;) pause();
  });
}
#endif

static void ChangeMask(int number, siginfo_t* info, void* where) {
  (void)number, (void)info;
  sigset_t* mask = &((ucontext_t*)where)->uc_sigmask;
  sigaddset(mask, SIGHUP);
  sigaddset(mask, SIGKILL);  // has no effect
}

static int alternate_seen;
static char area[65536];
static void SeeStack(int number, siginfo_t* info, void* where) {
  (void)number, (void)info;
  stack_t* stack = &((ucontext_t*)where)->uc_stack;
  alternate_seen = stack->ss_sp == area && stack->ss_size == sizeof area;
}

int main(void) {
  HandleInfo(SIGUSR1, ChangeMask, 0);
  CHECK_OK(raise(SIGUSR1));
  sigset_t now;
  CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &now));
  CHECK_EQ(sigismember(&now, SIGHUP), 1);
  CHECK_EQ(sigismember(&now, SIGKILL), 0);
  Mask(SIG_UNBLOCK, SIGHUP);

  stack_t stack = {.ss_sp = area, .ss_size = sizeof area};
  CHECK_OK(sigaltstack(&stack, NULL));
  HandleInfo(SIGUSR1, SeeStack, 0);
  CHECK_OK(raise(SIGUSR1));
  CHECK(alternate_seen);
#ifdef __x86_64__
  TestRegisters();
  pid_t pid = Fork();
  if (pid == 0) {
    HandleInfo(SIGUSR1, Jump, 0);
    raise(SIGUSR1);
    _exit(1);
  }
  WAIT_EXIT(pid, 61);
  HandleInfo(SIGUSR1, CheckAlignment, 0);
  CHECK_OK(raise(SIGUSR1));
  TestHostile();
#endif
  return 0;
}
