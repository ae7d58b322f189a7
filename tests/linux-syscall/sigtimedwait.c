// rt_sigtimedwait(2): takes a pending signal, waits, times out, is interrupted by others.
#include "proc.h"

static volatile sig_atomic_t got;
static void Note(int number) { got = number; }

int main(void) {
  sigset_t set;
  siginfo_t info;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGUSR2);
  sigaddset(&set, SIGRTMIN + 2);
  CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
  struct timespec zero = {0, 0}, brief = {0, 20000000}, longer = {20, 0};
  CHECK_ERR(sigtimedwait(&set, &info, &zero), EAGAIN);
  int64_t start = NowNs(CLOCK_MONOTONIC);
  CHECK_ERR(sigtimedwait(&set, &info, &brief), EAGAIN);
  CHECK(NowNs(CLOCK_MONOTONIC) - start >= 20000000);
  struct timespec bad = {0, 1000000000};
  CHECK_ERR(sigtimedwait(&set, &info, &bad), EINVAL);
  bad = (struct timespec){-1, 0};
  CHECK_ERR(sigtimedwait(&set, &info, &bad), EINVAL);
  CHECK_ERR(syscall(SYS_rt_sigtimedwait, &set, &info, &zero, 4), EINVAL);

  // The lowest number first; taken without a handler.
  CHECK_OK(kill(getpid(), SIGUSR2));
  CHECK_OK(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 55}));
  CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
  CHECK_EQ(info.si_code, SI_QUEUE);
  CHECK_EQ(info.si_value.sival_int, 55);
  CHECK_EQ(sigtimedwait(&set, NULL, &zero), SIGUSR2);
  CHECK_ERR(sigtimedwait(&set, &info, &zero), EAGAIN);

  pid_t parent = getpid();
  pid_t pid = Fork();
  if (pid == 0) {
    LetBlock(parent);
    sigqueue(parent, SIGRTMIN + 2, (union sigval){.sival_int = -9});
    _exit(0);
  }
  CHECK_EQ(sigtimedwait(&set, &info, &longer), SIGRTMIN + 2);
  CHECK_EQ(info.si_pid, pid);
  CHECK_EQ(info.si_value.sival_int, -9);
  WAIT_EXIT(pid, 0);

  // A handler for a signal outside the set ends the wait; SA_RESTART does not change that.
  Handle(SIGALRM, Note, SA_RESTART);
  pid = Fork();
  if (pid == 0) {
    while (getppid() == parent) {  // again and again: it may not have been waiting yet
      LetBlock(parent);
      kill(parent, SIGALRM);
      Nap(1);
    }
    _exit(0);
  }
  CHECK_ERR(sigtimedwait(&set, &info, &longer), EINTR);
  CHECK_EQ(got, SIGALRM);
  Handle(SIGALRM, SIG_IGN, 0);
  CHECK_OK(kill(pid, SIGKILL));
  CHECK_EQ(waitpid(pid, NULL, 0), pid);

  // sigwait by a library: ends with SIGCHLD when it is blocked even though its default is to be
  // ignored.
  sigset_t child = SetOf(SIGCHLD);
  CHECK_OK(sigprocmask(SIG_BLOCK, &child, NULL));
  while (sigtimedwait(&child, NULL, &zero) > 0) {
  }
  pid = Fork();
  if (pid == 0) _exit(3);
  CHECK_EQ(sigwaitinfo(&child, &info), SIGCHLD);
  CHECK_EQ(info.si_pid, pid);
  CHECK_EQ(info.si_code, CLD_EXITED);
  CHECK_EQ(info.si_status, 3);
  WAIT_EXIT(pid, 3);
  // SIGKILL in the set is no error and means nothing.
  sigfillset(&set);
  CHECK_ERR(sigtimedwait(&set, &info, &zero), EAGAIN);
  return 0;
}
