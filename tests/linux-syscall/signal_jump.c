// siglongjmp out of handlers: many times, with and without the mask, from an alternate stack, from
// a blocked call.
#include "proc.h"

static sigjmp_buf escape;
static jmp_buf plain;
static volatile int round_number;

static void Leave(int number) { siglongjmp(escape, number); }
static void LeavePlain(int number) { longjmp(plain, number); }

int main(void) {
  Handle(SIGUSR1, Leave, 0);
  for (round_number = 0; round_number < 2000; round_number++) {
    int number = sigsetjmp(escape, 1);
    if (number == 0) {
      raise(SIGUSR1);
      FAIL("came back");
    }
    CHECK_EQ(number, SIGUSR1);
    sigset_t now;
    CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &now));
    CHECK_EQ(sigismember(&now, SIGUSR1), 0);
  }
  // Without saving the mask the signal stays blocked.
  Handle(SIGUSR1, LeavePlain, 0);
  if (setjmp(plain) == 0) raise(SIGUSR1);
  sigset_t now;
  CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &now));
  CHECK_EQ(sigismember(&now, SIGUSR1), 1);
  Mask(SIG_UNBLOCK, SIGUSR1);

  // From the alternate stack, again and again: it is free each time.
  static char area[65536];
  stack_t stack = {.ss_sp = area, .ss_size = sizeof area};
  CHECK_OK(sigaltstack(&stack, NULL));
  Handle(SIGUSR1, Leave, SA_ONSTACK);
  for (round_number = 0; round_number < 2000; round_number++)
    if (sigsetjmp(escape, 1) == 0) raise(SIGUSR1);
  CHECK_OK(sigaltstack(NULL, &stack));
  CHECK_EQ(stack.ss_flags, 0);

  // Out of blocking calls.
  static int ends[2];
  CHECK_OK(pipe(ends));
  Handle(SIGALRM, Leave, SA_RESTART);
  for (round_number = 0; round_number < 5; round_number++) {
    if (sigsetjmp(escape, 1) != 0) continue;
    struct itimerval timer = {{0, 10000}, {0, 3000}};
    CHECK_OK(setitimer(ITIMER_REAL, &timer, NULL));
    char byte;
    if (round_number % 2) CHECK_EQ(read(ends[0], &byte, 1), -2);
    for (;;) pause();
  }
  CHECK_OK(setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL));
  return 0;
}
