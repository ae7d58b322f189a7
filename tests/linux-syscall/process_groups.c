// setpgid(2), getpgid(2), setsid(2), getsid(2) and their errors.
#include "proc.h"

static pid_t Blocked(void) {
  pid_t pid = Fork();
  if (pid == 0)
    for (;;) pause();
  return pid;
}

static void End(pid_t pid) {
  CHECK_OK(kill(pid, SIGKILL));
  WAIT_SIGNAL(pid, SIGKILL);
}

static void InFreshSession(void) {
  pid_t self = getpid();
  CHECK_EQ(setsid(), self);
  CHECK_EQ(getsid(0), self);
  CHECK_EQ(getpgrp(), self);
  CHECK_ERR(setsid(), EPERM);       // leads a group already
  CHECK_ERR(setpgid(0, 0), EPERM);  // leads a session
  CHECK_ERR(setpgid(self, self), EPERM);
  CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);  // no terminal yet

  pid_t a = Blocked(), b = Blocked();
  CHECK_EQ(getpgid(a), self);
  CHECK_EQ(getsid(a), self);
  CHECK_ERR(setpgid(a, b), EPERM);  // no such group
  CHECK_OK(setpgid(a, 0));
  CHECK_EQ(getpgid(a), a);
  CHECK_OK(setpgid(b, a));
  CHECK_EQ(getpgid(b), a);
  CHECK_OK(setpgid(a, a));  // again: nothing to do
  CHECK_ERR(setpgid(a, -1), EINVAL);
  CHECK_ERR(setpgid(getppid(), 0), ESRCH);  // not a child
  CHECK_ERR(setpgid(0x3fffffff, 0), ESRCH);
  CHECK_ERR(getpgid(0x3fffffff), ESRCH);
  CHECK_ERR(getsid(0x3fffffff), ESRCH);
  CHECK_ERR(getpgid(-1), ESRCH);

  // The group outlives its leader, and its number stays usable for the members.
  End(a);
  CHECK_EQ(getpgid(b), a);
  CHECK_OK(kill(-a, 0));
  pid_t c = Blocked();
  CHECK_OK(setpgid(c, a));
  End(b);
  End(c);
  CHECK_ERR(kill(-a, 0), ESRCH);

  // A child in another session is out of reach.
  int ends[2];
  CHECK_OK(pipe(ends));
  pid_t d = Fork();
  if (d == 0) {
    CHECK_OK(setsid());
    CHECK_EQ(write(ends[1], "x", 1), 1);
    for (;;) pause();
  }
  char byte;
  CHECK_EQ(read(ends[0], &byte, 1), 1);
  CHECK_EQ(getsid(d), d);
  CHECK_ERR(setpgid(d, self), EPERM);
  End(d);

  // A child may join its parent's group again, but not a group of another session.
  IN_CHILD({
    CHECK_OK(setpgid(0, 0));
    CHECK_OK(setpgid(0, self));
    CHECK_ERR(setpgid(0, 1), EPERM);
  });
}

int main(void) {
  IN_CHILD(InFreshSession());
  CHECK_EQ(getpgid(0), getpgrp());
  CHECK_EQ(getpgid(getpid()), getpgrp());
  CHECK_ERR(setpgid(-1, 0), EINVAL);
  CHECK_ERR(setpgid(-1, getpid()), ESRCH);
  CHECK_ERR(setpgid(0, -1), EINVAL);
  CHECK_ERR(getpgid(-1), ESRCH);
  CHECK_ERR(getsid(-1), ESRCH);
  return 0;
}
