// PR_SET_PDEATHSIG: a signal when the parent ends; not inherited.
#include <sys/prctl.h>

#include "proc.h"

int main(void) {
  int value = -1;
  CHECK_OK(prctl(PR_GET_PDEATHSIG, &value));
  CHECK_EQ(value, 0);
  CHECK_ERR(prctl(PR_SET_PDEATHSIG, 65), EINVAL);
  CHECK_ERR(prctl(PR_SET_PDEATHSIG, -1), EINVAL);
  CHECK_ERR(prctl(PR_GET_PDEATHSIG, BAD_POINTER), EFAULT);
  CHECK_OK(prctl(PR_SET_PDEATHSIG, SIGUSR1));
  CHECK_OK(prctl(PR_GET_PDEATHSIG, &value));
  CHECK_EQ(value, SIGUSR1);
  IN_CHILD({
    CHECK_OK(prctl(PR_GET_PDEATHSIG, &value));
    CHECK_EQ(value, 0);
  });

  CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
  atomic_int* ready = SharedPage();
  pid_t middle = Fork();
  if (middle == 0) {
    pid_t child = Fork();
    if (child == 0) {
      CHECK_OK(prctl(PR_SET_PDEATHSIG, SIGTERM));
      *ready = getpid();
      for (;;) pause();
    }
    CHECK(EVENTUALLY(*ready));
    _exit(0);
  }
  WAIT_EXIT(middle, 0);
  WAIT_SIGNAL(*ready, SIGTERM);

  // It tells who died.
  *ready = 0;
  middle = Fork();
  if (middle == 0) {
    pid_t child = Fork();
    if (child == 0) {
      Mask(SIG_BLOCK, SIGUSR2);
      CHECK_OK(prctl(PR_SET_PDEATHSIG, SIGUSR2));
      pid_t parent = getppid();
      *ready = getpid();
      sigset_t set = SetOf(SIGUSR2);
      siginfo_t info;
      CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR2);
      CHECK_EQ(info.si_code, SI_USER);
      CHECK_EQ(info.si_pid, parent);
      _exit(15);
    }
    CHECK(EVENTUALLY(*ready));
    _exit(0);
  }
  WAIT_EXIT(middle, 0);
  WAIT_EXIT(*ready, 15);
  return 0;
}
