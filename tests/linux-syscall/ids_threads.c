// System calls set the ids of one thread; C libraries make it all threads by signals. Signals need
// matching ids.
#include "proc.h"

static atomic_int step;
static uid_t other_sees_raw, other_sees_libc;

static void* Other(void* arg) {
  while (step < 1) sched_yield();
  other_sees_raw = (uid_t)syscall(SYS_geteuid);
  step = 2;
  while (step < 3) sched_yield();
  other_sees_libc = (uid_t)syscall(SYS_geteuid);
  return arg;
}

int main(void) {
  if (!IsRoot()) {
    // A process of another user takes no signals. (In a container, process 1 may be this one.)
    if (getpid() == 1) return 0;
    CHECK_ERR(kill(1, 0), EPERM);
    CHECK_ERR(kill(1, SIGTERM), EPERM);
    return 0;
  }
  IN_CHILD({
    pthread_t thread = StartThread(Other, NULL);
    CHECK_OK(syscall(SYS_setresuid, -1, 1000, -1));
    step = 1;
    while (step < 2) sched_yield();
    CHECK_EQ(other_sees_raw, 0);
    CHECK_OK(syscall(SYS_setresuid, -1, 0, -1));
    CHECK_OK(seteuid(1000));
    step = 3;
    JoinThread(thread);
    CHECK_EQ(other_sees_libc, 1000);
  });
  pid_t target = Fork();
  if (target == 0)
    for (;;) pause();
  IN_CHILD({
    BecomeNobody();
    CHECK_ERR(kill(target, SIGTERM), EPERM);
    CHECK_ERR(kill(target, 0), EPERM);
    CHECK_ERR(syscall(SYS_tgkill, target, target, SIGTERM), EPERM);
    CHECK_ERR(sigqueue(target, SIGTERM, (union sigval){0}), EPERM);
  });
  // The sender's real or effective id must be the target's real or saved one.
  IN_CHILD({
    CHECK_OK(setresuid(0, 1000, 1000));
    CHECK_OK(kill(target, 0));
  });
  IN_CHILD({
    CHECK_OK(setresuid(1000, 1000, 0));
    CHECK_ERR(kill(target, 0), EPERM);
  });
  CHECK_OK(kill(target, SIGTERM));
  WAIT_SIGNAL(target, SIGTERM);
  return 0;
}
