// A thread's stack ends in a guard page: overflowing it is SIGSEGV in that thread, on its alternate
// stack.
#include "proc.h"

static _Thread_local sigjmp_buf escape;
static _Thread_local char* area;
static atomic_int caught;
static volatile int deep_enough = INT_MAX;

static void OnSegv(int number, siginfo_t* info, void* context) {
  (void)number, (void)context;
  char here;
  if (&here < area || &here >= area + 65536) _exit(4);
  CHECK_EQ(info->si_code, SEGV_ACCERR);
  caught++;
  siglongjmp(escape, 1);
}

static __attribute__((noinline)) int Recurse(int depth) {
  volatile char frame[1024];
  frame[0] = (char)depth;
  if (depth == deep_enough) return 0;
  return Recurse(depth + 1) + frame[0];
}

static void* Overflow(void* arg) {
  area = malloc(65536);
  stack_t stack = {.ss_sp = area, .ss_size = 65536};
  CHECK_OK(sigaltstack(NULL, &stack));
  CHECK_EQ(stack.ss_flags, SS_DISABLE);  // a new thread has none
  stack = (stack_t){.ss_sp = area, .ss_size = 65536};
  CHECK_OK(sigaltstack(&stack, NULL));
  for (volatile int i = 0; i < 3; i++)
    if (sigsetjmp(escape, 1) == 0) Recurse(0);
  return arg;
}

int main(void) {
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  CHECK_EQ(pthread_attr_setstacksize(&attr, 256 * 1024), 0);
  HandleInfo(SIGSEGV, OnSegv, SA_ONSTACK);
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) CHECK_EQ(pthread_create(&threads[i], &attr, Overflow, NULL), 0);
  for (int i = 0; i < 4; i++) JoinThread(threads[i]);
  CHECK_EQ(caught, 12);
  return 0;
}
