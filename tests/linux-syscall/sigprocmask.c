// rt_sigprocmask(2) and rt_sigpending(2): how, errors, blocked signals wait, each thread has its
// own mask.
#include "proc.h"

static volatile sig_atomic_t count;
static void Count(int number) { count += number != 0; }

static void* Inherited(void* arg) {
  sigset_t now;
  CHECK_EQ(pthread_sigmask(SIG_SETMASK, NULL, &now), 0);
  CHECK_EQ(sigismember(&now, SIGUSR1), 1);
  Mask(SIG_UNBLOCK, SIGUSR1);
  return arg;
}

int main(void) {
  sigset_t set, old;
  sigfillset(&set);
  CHECK_OK(sigprocmask(SIG_SETMASK, &set, &old));
  CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &set));
  CHECK_EQ(sigismember(&set, SIGKILL), 0);  // cannot be blocked
  CHECK_EQ(sigismember(&set, SIGSTOP), 0);
  CHECK_EQ(sigismember(&set, SIGTERM), 1);
  CHECK_EQ(sigismember(&set, SIGRTMAX), 1);
  CHECK_OK(sigprocmask(SIG_SETMASK, &old, NULL));

  set = SetOf(SIGUSR1);
  CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
  set = SetOf(SIGUSR2);
  CHECK_OK(sigprocmask(SIG_BLOCK, &set, &old));
  CHECK_EQ(sigismember(&old, SIGUSR1), 1);
  CHECK_EQ(sigismember(&old, SIGUSR2), 0);
  CHECK_OK(sigprocmask(SIG_UNBLOCK, &set, &old));
  CHECK_EQ(sigismember(&old, SIGUSR2), 1);
  CHECK_ERR(sigprocmask(7, &set, NULL), EINVAL);
  CHECK_OK(sigprocmask(7, NULL, &old));  // "how" does not matter without a set
  CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 4), EINVAL);
  CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, BAD_POINTER, NULL, 8), EFAULT);
  CHECK_ERR(syscall(SYS_rt_sigpending, &set, 9), EINVAL);

  // A blocked standard signal is kept once; ignoring it throws it away.
  Handle(SIGUSR1, Count, 0);
  for (int i = 0; i < 5; i++) CHECK_OK(kill(getpid(), SIGUSR1));
  CHECK(IsPending(SIGUSR1));
  CHECK_EQ(count, 0);
  Mask(SIG_UNBLOCK, SIGUSR1);
  CHECK_EQ(count, 1);
  CHECK(!IsPending(SIGUSR1));
  Mask(SIG_BLOCK, SIGUSR1);
  CHECK_OK(raise(SIGUSR1));
  Handle(SIGUSR1, SIG_IGN, 0);
  CHECK(!IsPending(SIGUSR1));
  Handle(SIGUSR1, Count, 0);
  CHECK_OK(raise(SIGUSR1));

  // Children inherit the mask, not the pending signals; threads likewise.
  IN_CHILD({
    CHECK(!IsPending(SIGUSR1));
    sigset_t now;
    CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &now));
    CHECK_EQ(sigismember(&now, SIGUSR1), 1);
  });
  count = 0;
  CHECK(IsPending(SIGUSR1));
  JoinThread(StartThread(Inherited, NULL));
  CHECK(IsPending(SIGUSR1));  // raise() sent it to this thread
  CHECK_EQ(count, 0);
  return 0;
}
