// kill(2), tkill(2), tgkill(2): whom they reach and their errors.
#include "proc.h"

static volatile sig_atomic_t count;
static void Count(int number) { count += number != 0; }

// A child that SIGUSR1 kills from its first moment on.
static pid_t Mortal(void) {
  Handle(SIGUSR1, SIG_DFL, 0);
  pid_t pid = Fork();
  if (pid == 0)
    for (;;) pause();
  Handle(SIGUSR1, Count, 0);
  return pid;
}

static pid_t InGroup(pid_t group) {
  pid_t pid = Mortal();
  CHECK_OK(setpgid(pid, group));
  return pid;
}

int main(void) {
  CHECK_ERR(kill(0x3fffffff, 0), ESRCH);
  CHECK_ERR(kill(-0x3fffffff, 0), ESRCH);
  CHECK_ERR(kill(INT_MIN, 0), ESRCH);
  CHECK_ERR(kill(getpid(), 65), EINVAL);
  CHECK_ERR(kill(getpid(), -1), EINVAL);
  CHECK_OK(kill(getpid(), 0));
  CHECK_ERR(syscall(SYS_tgkill, getpid(), -1, 0), EINVAL);
  CHECK_ERR(syscall(SYS_tgkill, -1, Gettid(), 0), EINVAL);
  CHECK_ERR(syscall(SYS_tgkill, 0, Gettid(), 0), EINVAL);
  CHECK_ERR(syscall(SYS_tgkill, getpid() + 1, Gettid(), 0), ESRCH);
  CHECK_ERR(syscall(SYS_tgkill, getpid(), 0x3fffffff, 0), ESRCH);
  CHECK_ERR(syscall(SYS_tgkill, getpid(), Gettid(), 65), EINVAL);
  CHECK_ERR(syscall(SYS_tkill, 0, 0), EINVAL);
  CHECK_ERR(syscall(SYS_tkill, -1, 0), EINVAL);
  CHECK_ERR(syscall(SYS_tkill, 0x3fffffff, 0), ESRCH);
  CHECK_OK(syscall(SYS_tkill, Gettid(), 0));

  Handle(SIGUSR1, Count, 0);
  CHECK_OK(syscall(SYS_tkill, Gettid(), SIGUSR1));
  CHECK_EQ(count, 1);

  // A group: its members, nobody else.
  pid_t a = InGroup(0), b = InGroup(a), c = InGroup(0);
  CHECK_OK(kill(-a, SIGUSR1));
  WAIT_SIGNAL(a, SIGUSR1);
  WAIT_SIGNAL(b, SIGUSR1);
  CHECK_EQ(count, 1);
  CHECK_ERR(kill(-a, 0), ESRCH);
  CHECK_OK(kill(c, 0));
  CHECK_OK(kill(c, SIGKILL));
  WAIT_SIGNAL(c, SIGKILL);

  // 0 is the caller's own group, the caller included; -1 everybody it may signal but itself and
  // process 1. The latter is only tried with a user of its own.
  IN_CHILD({
    CHECK_OK(setpgid(0, 0));
    count = 0;
    pid_t mine = Mortal();
    Mask(SIG_BLOCK, SIGUSR1);
    CHECK_OK(kill(0, SIGUSR1));
    Mask(SIG_UNBLOCK, SIGUSR1);
    CHECK_EQ(count, 1);
    WAIT_SIGNAL(mine, SIGUSR1);
  });
  if (IsRoot()) {
    IN_CHILD({
      CHECK_OK(setresuid(54322, 54322, 54322));
      pid_t one = Fork();
      if (one == 0)
        for (;;) pause();
      pid_t two = Fork();
      if (two == 0)
        for (;;) pause();
      count = 0;
      CHECK_OK(kill(-1, SIGTERM));
      WAIT_SIGNAL(one, SIGTERM);
      WAIT_SIGNAL(two, SIGTERM);
    });
  }
  // A signal to oneself that is not blocked has been delivered when kill returns.
  count = 0;
  for (int i = 0; i < 1000; i++) {
    CHECK_OK(kill(getpid(), SIGUSR1));
    CHECK_EQ(count, i + 1);
  }
  return 0;
}
