// signalfd(2): blocked signals are read, several at once, masks change, siginfo of a kill and a
// child.
#include <poll.h>
#include <sys/signalfd.h>

#include "check.h"

int main(void) {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR1);
  sigaddset(&mask, SIGUSR2);
  CHECK_OK(sigprocmask(SIG_BLOCK, &mask, NULL));
  int fd = (int)CHECK_OK(signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC));
  struct signalfd_siginfo info[4];
  CHECK_ERR(read(fd, info, sizeof info), EAGAIN);
  struct pollfd one = {fd, POLLIN, 0};
  CHECK_EQ(poll(&one, 1, 0), 0);
  CHECK_OK(kill(getpid(), SIGUSR1));
  CHECK_OK(kill(getpid(), SIGUSR1));  // merges
  CHECK_OK(kill(getpid(), SIGUSR2));
  CHECK_EQ(poll(&one, 1, 0), 1);
  CHECK_ERR(read(fd, info, sizeof info[0] - 1), EINVAL);
  CHECK_EQ(read(fd, info, sizeof info), 2 * sizeof info[0]);
  CHECK_EQ(info[0].ssi_signo, SIGUSR1);
  CHECK_EQ(info[0].ssi_code, SI_USER);
  CHECK_EQ(info[0].ssi_pid, getpid());
  CHECK_EQ(info[0].ssi_uid, getuid());
  CHECK_EQ(info[1].ssi_signo, SIGUSR2);
  CHECK_ERR(read(fd, info, sizeof info), EAGAIN);

  // Not in the mask: not seen. The mask can be changed.
  CHECK_OK(kill(getpid(), SIGUSR2));
  sigdelset(&mask, SIGUSR2);
  CHECK_EQ(signalfd(fd, &mask, 0), fd);
  CHECK_EQ(poll(&one, 1, 0), 0);
  sigaddset(&mask, SIGUSR2);
  sigaddset(&mask, SIGCHLD);
  sigaddset(&mask, SIGRTMIN);
  CHECK_EQ(signalfd(fd, &mask, 0), fd);
  CHECK_EQ(read(fd, info, sizeof info), sizeof info[0]);

  CHECK_OK(sigprocmask(SIG_BLOCK, &mask, NULL));
  pid_t pid = Fork();
  if (pid == 0) _exit(42);
  CHECK_EQ(poll(&one, 1, -1), 1);
  CHECK_EQ(read(fd, info, sizeof info), sizeof info[0]);
  CHECK_EQ(info[0].ssi_signo, SIGCHLD);
  CHECK_EQ(info[0].ssi_code, CLD_EXITED);
  CHECK_EQ(info[0].ssi_status, 42);
  CHECK_EQ(info[0].ssi_pid, pid);
  WAIT_EXIT(pid, 42);

  // Queued ones keep their order and value.
  for (int i = 0; i < 3; i++)
    CHECK_OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i}));
  CHECK_EQ(read(fd, info, sizeof info), 3 * sizeof info[0]);
  for (int i = 0; i < 3; i++) {
    CHECK_EQ(info[i].ssi_code, SI_QUEUE);
    CHECK_EQ(info[i].ssi_int, i);
  }
  // Waiting.
  CHECK_OK(fcntl(fd, F_SETFL, 0));
  pid_t parent = getpid();
  pid = Fork();
  if (pid == 0) {
    Nap(10);
    CHECK_OK(kill(parent, SIGUSR1));
    _exit(0);
  }
  CHECK_EQ(read(fd, info, sizeof info[0]), sizeof info[0]);
  CHECK_EQ(info[0].ssi_signo == SIGUSR1 ? (int)info[0].ssi_pid : pid, pid);
  WAIT_EXIT(pid, 0);
  CHECK_ERR(signalfd(0, &mask, 0), EINVAL);
  CHECK_ERR(signalfd(999, &mask, 0), EBADF);
  CHECK_ERR(signalfd(-1, &mask, 0x40), EINVAL);
  CHECK_ERR(syscall(SYS_signalfd4, -1, &mask, 3, 0), EINVAL);
  return 0;
}
