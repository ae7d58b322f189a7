// SIGSEGV: code and address for unmapped, protected and non-canonical memory, reads, writes and
// jumps; repair and retry.
#include "proc.h"

static siginfo_t info;
static sigjmp_buf escape;
static size_t page;
static char* volatile repair;
static volatile int faults;

static void OnFault(int number, siginfo_t* arg, void* context) {
  (void)number, (void)context;
  info = *arg;
  faults++;
  if (repair) {
    if (mprotect(repair, page, PROT_READ | PROT_WRITE) != 0) _exit(2);
    return;  // the instruction is tried again
  }
  siglongjmp(escape, 1);
}

#define FAULTS(code, address, ...)                           \
  do {                                                       \
    memset(&info, 0, sizeof info);                           \
    if (sigsetjmp(escape, 1) == 0) {                         \
      __VA_ARGS__;                                           \
      FAIL("no fault");                                      \
    }                                                        \
    CHECK_EQ(info.si_signo, SIGSEGV);                        \
    CHECK_EQ(info.si_code, code);                            \
    CHECK_EQ((uintptr_t)info.si_addr, (uintptr_t)(address)); \
  } while (0)

static volatile char sink;
static void Read(const volatile char* address) { sink = *address; }
static void Write(volatile char* address) { *address = 1; }
static void Jump(void* address) {
  void (*function)(void);
  memcpy(&function, &address, sizeof function);
  function();
}

int main(void) {
  page = PageSize();
  HandleInfo(SIGSEGV, OnFault, 0);
  char* memory =
      CHECK_MAP(mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  CHECK_OK(munmap(memory + 2 * page, page));
  FAULTS(SEGV_MAPERR, NULL, Read(NULL));
  FAULTS(SEGV_MAPERR, 0x123, Write((char*)0x123));
  FAULTS(SEGV_MAPERR, memory + 2 * page + 5, Read(memory + 2 * page + 5));
  FAULTS(SEGV_MAPERR, memory + 2 * page + 6, Write(memory + 2 * page + 6));
  FAULTS(SEGV_MAPERR, memory + 2 * page, Jump(memory + 2 * page));
  CHECK_OK(mprotect(memory, page, PROT_READ));
  Read(memory);
  FAULTS(SEGV_ACCERR, memory + 9, Write(memory + 9));
  FAULTS(SEGV_ACCERR, memory + 16, Jump(memory + 16));  // not executable
  CHECK_OK(mprotect(memory, page, PROT_NONE));
  FAULTS(SEGV_ACCERR, memory + 9, Read(memory + 9));
  FAULTS(SEGV_ACCERR, memory + 9, Write(memory + 9));
#ifdef __x86_64__
  // A non-canonical address is a general protection fault: no address to tell.
  FAULTS(SI_KERNEL, 0, Read((char*)0x8000000000000000));
  FAULTS(SEGV_MAPERR, 0xffff888000000000, Read((char*)0xffff888000000000));
  // An access across a page's end names the byte that cannot be reached.
  CHECK_OK(mprotect(memory, page, PROT_READ | PROT_WRITE));
  FAULTS(SEGV_MAPERR, memory + 2 * page,
         __asm__ volatile("movq (%0), %%rax"
                          :
                          : "r"(memory + 2 * page - 3)
                          : "rax"));
  // Privileged instructions.
  FAULTS(SI_KERNEL, 0, __asm__ volatile("hlt"));
#endif
  // Repair and try again: as garbage collectors do it.
  CHECK_OK(mprotect(memory, 2 * page, PROT_NONE));
  faults = 0;
  repair = memory;
  for (size_t i = 0; i < 2 * page; i += 64) {
    if (i == page) repair = memory + page;
    Write(memory + i);
  }
  CHECK_EQ(faults, 2);
  repair = NULL;

  // Blocked or ignored, a fault kills.
  CHECK_OK(setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}));
  IN_CHILD_KILLED_BY(SIGSEGV, Mask(SIG_BLOCK, SIGSEGV), Write(NULL));
  IN_CHILD_KILLED_BY(SIGSEGV, Handle(SIGSEGV, SIG_IGN, 0), Write(NULL));
  // One sent by kill is an ordinary signal.
  IN_CHILD({
    Handle(SIGSEGV, SIG_IGN, 0);
    CHECK_OK(kill(getpid(), SIGSEGV));
  });
  IN_CHILD({
    Mask(SIG_BLOCK, SIGSEGV);
    CHECK_OK(raise(SIGSEGV));
    CHECK(IsPending(SIGSEGV));
  });
  // A handler on a stack that cannot be written: killed.
  IN_CHILD_KILLED_BY(SIGSEGV, {
    stack_t stack = {
        .ss_sp = CHECK_MAP(mmap(NULL, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)),
        .ss_size = 65536};
    CHECK_OK(sigaltstack(&stack, NULL));
    HandleInfo(SIGUSR1, OnFault, SA_ONSTACK);
    Handle(SIGSEGV, SIG_DFL, 0);
    raise(SIGUSR1);
  });
  return 0;
}
