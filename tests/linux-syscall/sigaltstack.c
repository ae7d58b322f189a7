// sigaltstack(2): handlers on it, what is reported, errors, and surviving an overflow of the
// ordinary stack.
#include "proc.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1u << 31)
#endif

static char* area;
static size_t size = 128 * 1024;
static volatile bool inside;
static stack_t seen;
static sigjmp_buf escape;
static void* volatile fault;

static bool InArea(void* pointer) { return (char*)pointer >= area && (char*)pointer < area + size; }

static void OnUsr1(int number) {
  char local;
  inside = InArea(&local);
  CHECK_OK(sigaltstack(NULL, &seen));
  stack_t other = {.ss_sp = area, .ss_size = size};
  if (inside) CHECK_ERR(sigaltstack(&other, NULL), EPERM);  // in use
  if (number == SIGUSR2) CHECK_OK(raise(SIGUSR1));          // nested: goes on on the same stack
}

static void OnDisarmed(int number) {
  char local;
  inside = number == SIGUSR1 && InArea(&local);
  CHECK_OK(sigaltstack(NULL, &seen));
}

static void OnSegv(int number, siginfo_t* info, void* context) {
  (void)number, (void)context;
  char local;
  if (!InArea(&local)) _exit(3);
  fault = info->si_addr;
  siglongjmp(escape, 1);
}

static volatile int deep_enough = INT_MAX;
static __attribute__((noinline)) int Forever(int depth) {
  volatile char frame[2048];
  frame[0] = (char)depth;
  if (depth == deep_enough) return 0;
  return Forever(depth + 1) + frame[0];
}

int main(void) {
  area = CHECK_MAP(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  stack_t stack = {.ss_sp = area, .ss_size = size}, old;
  CHECK_OK(sigaltstack(NULL, &old));
  CHECK_EQ(old.ss_flags, SS_DISABLE);
  CHECK_OK(sigaltstack(&stack, &old));
  CHECK_OK(sigaltstack(NULL, &old));
  CHECK_EQ(old.ss_flags, 0);
  CHECK(old.ss_sp == area);
  CHECK_EQ(old.ss_size, size);

  stack_t bad = {.ss_sp = area, .ss_size = 64};
  CHECK_ERR(sigaltstack(&bad, NULL), ENOMEM);
  bad = (stack_t){.ss_sp = area, .ss_size = size, .ss_flags = 0x40};
  CHECK_ERR(sigaltstack(&bad, NULL), EINVAL);
  CHECK_ERR(sigaltstack(BAD_POINTER, NULL), EFAULT);

  Handle(SIGUSR1, OnUsr1, 0);
  CHECK_OK(raise(SIGUSR1));
  CHECK(!inside);
  CHECK_EQ(seen.ss_flags, 0);
  Handle(SIGUSR1, OnUsr1, SA_ONSTACK);
  CHECK_OK(raise(SIGUSR1));
  CHECK(inside);
  CHECK_EQ(seen.ss_flags, SS_ONSTACK);
  Handle(SIGUSR2, OnUsr1, SA_ONSTACK);
  CHECK_OK(raise(SIGUSR2));
  CHECK(inside);
  CHECK_OK(sigaltstack(NULL, &old));
  CHECK_EQ(old.ss_flags, 0);  // free again

  // Overflow of the main stack, several times.
  HandleInfo(SIGSEGV, OnSegv, SA_ONSTACK);
  struct rlimit limit;
  CHECK_OK(getrlimit(RLIMIT_STACK, &limit));
  limit.rlim_cur = 1 << 20;
  CHECK_OK(setrlimit(RLIMIT_STACK, &limit));
  for (int i = 0; i < 3; i++) {
    fault = NULL;
    if (sigsetjmp(escape, 1) == 0) Forever(0);
    CHECK(fault != NULL);
    char here;
    CHECK((char*)fault < &here && (char*)fault > &here - (16 << 20));
  }
  // Overflow of a thread's is the same and is in thread_guard. Without an alternate stack it kills.
  CHECK_OK(setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}));
  IN_CHILD_KILLED_BY(SIGSEGV, {
    stack_t off = {.ss_flags = SS_DISABLE};
    CHECK_OK(sigaltstack(&off, NULL));
    Forever(0);
  });

  // Autodisarm: off while the handler runs, back after it.
  stack.ss_flags = (int)SS_AUTODISARM;
  if (sigaltstack(&stack, NULL) == 0) {
    CHECK_OK(sigaltstack(NULL, &old));
    CHECK_EQ((unsigned)old.ss_flags, SS_AUTODISARM);
    Handle(SIGUSR1, OnDisarmed, SA_ONSTACK);
    CHECK_OK(raise(SIGUSR1));
    CHECK(inside);
    CHECK_EQ(seen.ss_flags, SS_DISABLE);
    CHECK_OK(sigaltstack(NULL, &old));
    CHECK_EQ((unsigned)old.ss_flags, SS_AUTODISARM);
  }
  stack = (stack_t){.ss_flags = SS_DISABLE};
  CHECK_OK(sigaltstack(&stack, NULL));
  CHECK_OK(sigaltstack(NULL, &old));
  CHECK_EQ(old.ss_flags, SS_DISABLE);

  // fork copies it, a new thread has none.
  stack = (stack_t){.ss_sp = area, .ss_size = size};
  CHECK_OK(sigaltstack(&stack, NULL));
  IN_CHILD({
    stack_t mine;
    CHECK_OK(sigaltstack(NULL, &mine));
    CHECK(mine.ss_sp == area);
  });
  return 0;
}
