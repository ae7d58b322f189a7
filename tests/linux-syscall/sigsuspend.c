// rt_sigsuspend(2), pause(2): wait with another mask, come back with EINTR and the old mask.
#include "proc.h"

static volatile sig_atomic_t got;
static sigset_t inside;
static void Note(int number) {
  got = number;
  sigprocmask(SIG_BLOCK, NULL, &inside);
}

int main(void) {
  Handle(SIGUSR1, Note, SA_RESTART);
  Handle(SIGUSR2, Note, 0);
  Mask(SIG_BLOCK, SIGUSR1);
  Mask(SIG_BLOCK, SIGUSR2);
  CHECK_OK(raise(SIGUSR1));
  sigset_t wait_mask = SetOf(SIGHUP);
  CHECK_ERR(sigsuspend(&wait_mask), EINTR);  // pending already: at once; never restarted
  CHECK_EQ(got, SIGUSR1);
  CHECK_EQ(sigismember(&inside, SIGHUP), 1);   // the handler ran under the waiting mask
  CHECK_EQ(sigismember(&inside, SIGUSR1), 1);  // plus itself
  CHECK_EQ(sigismember(&inside, SIGUSR2), 0);
  sigset_t now;
  CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &now));
  CHECK_EQ(sigismember(&now, SIGUSR1), 1);
  CHECK_EQ(sigismember(&now, SIGHUP), 0);
  CHECK_ERR(syscall(SYS_rt_sigsuspend, &wait_mask, 4), EINVAL);
  CHECK_ERR(syscall(SYS_rt_sigsuspend, BAD_POINTER, 8), EFAULT);

  // A signal from another process while asleep; a blocked one in between does not wake.
  pid_t parent = getpid();
  pid_t pid = Fork();
  if (pid == 0) {
    LetBlock(parent);
    kill(parent, SIGUSR2);
    Nap(5);
    kill(parent, SIGUSR1);
    _exit(0);
  }
  got = 0;
  sigset_t only_usr1;
  sigfillset(&only_usr1);
  sigdelset(&only_usr1, SIGUSR1);
  CHECK_ERR(sigsuspend(&only_usr1), EINTR);
  CHECK_EQ(got, SIGUSR1);
  CHECK(IsPending(SIGUSR2));
  WAIT_EXIT(pid, 0);

  // pause: ignored signals do not end it, handled ones do.
  Handle(SIGURG, SIG_IGN, 0);
  Mask(SIG_UNBLOCK, SIGUSR2);
  pid = Fork();
  if (pid == 0) {
    for (int i = 0; i < 3; i++) {
      LetBlock(parent);
      kill(parent, SIGURG);
    }
    while (kill(parent, SIGUSR2) == 0 && TaskState(getpid()) != 0) Nap(5);
    _exit(0);
  }
  got = 0;
  CHECK_ERR(pause(), EINTR);
  CHECK_EQ(got, SIGUSR2);
  CHECK_OK(kill(pid, SIGKILL));
  WAIT_SIGNAL(pid, SIGKILL);
  return 0;
}
