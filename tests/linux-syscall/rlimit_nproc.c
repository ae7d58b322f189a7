// RLIMIT_NPROC: no more processes or threads of a user beyond it (root is exempt).
#include "proc.h"

static void* Nothing(void* arg) { return arg; }

static void Check(void) {
  CHECK_OK(setrlimit(RLIMIT_NPROC, &(struct rlimit){1, 1}));
  errno = 0;
  CHECK_EQ(fork(), -1);
  CHECK_EQ(errno, EAGAIN);
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, Nothing, NULL), EAGAIN);
}

int main(void) {
  if (!IsRoot()) {
    IN_CHILD(Check());
    return 0;
  }
  IN_CHILD({
    CHECK_OK(setgroups(0, NULL));
    CHECK_OK(setresgid(54321, 54321, 54321));
    CHECK_OK(setresuid(54321, 54321, 54321));  // a user with nothing running
    CHECK_OK(setrlimit(RLIMIT_NPROC, &(struct rlimit){3, 3}));
    pid_t a = (pid_t)CHECK_OK(fork());
    if (a == 0)
      for (;;) pause();
    pid_t b = (pid_t)CHECK_OK(fork());
    if (b == 0)
      for (;;) pause();
    CHECK_ERR(fork(), EAGAIN);
    CHECK_OK(kill(a, SIGKILL));
    WAIT_SIGNAL(a, SIGKILL);
    a = (pid_t)CHECK_OK(fork());  // room again
    if (a == 0) _exit(0);
    WAIT_EXIT(a, 0);
    CHECK_OK(kill(b, SIGKILL));
    WAIT_SIGNAL(b, SIGKILL);
    Check();
  });
  return 0;
}
