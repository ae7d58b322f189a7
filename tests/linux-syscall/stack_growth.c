// The main stack grows by touching, up to RLIMIT_STACK; MAP_GROWSDOWN; overflow is SIGSEGV.
#include <sys/resource.h>

#include "check.h"

static volatile sig_atomic_t faults;

static void OnFault(int number) {
  (void)number;
  faults++;
  _exit(42);
}

__attribute__((noinline)) static int Deep(int depth) {
  volatile char room[4096];
  room[0] = (char)depth;
  if (depth == 0) return room[0];
  return Deep(depth - 1) + room[0] - (char)depth;
}

__attribute__((noinline)) static int Endless(int depth) {
  volatile char room[4096];
  room[0] = (char)depth;
  if (depth == INT_MAX) return 0;
  return Endless(depth + 1) + room[0];
}

int main(void) {
  struct rlimit limit;
  CHECK_OK(getrlimit(RLIMIT_STACK, &limit));
  if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= 4 << 20) CHECK_EQ(Deep(700), 0);
  // A smaller limit counts from now on.
  limit.rlim_cur = 1 << 20;
  CHECK_OK(setrlimit(RLIMIT_STACK, &limit));
  IN_CHILD(CHECK_EQ(Deep(150), 0));
  IN_CHILD_KILLED_BY(SIGSEGV, Endless(0));

  // The handler runs on a stack of its own.
  pid_t pid = Fork();
  if (pid == 0) {
    static char other[64 << 10];
    stack_t stack = {.ss_sp = other, .ss_size = sizeof other};
    CHECK_OK(sigaltstack(&stack, NULL));
    Handle(SIGSEGV, OnFault, SA_ONSTACK);
    Endless(0);
  }
  WAIT_EXIT(pid, 42);
  return 0;
}
