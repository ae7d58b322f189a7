// pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2): a process held by a descriptor.
#include <sys/epoll.h>

#include "proc.h"

static pid_t Blocked(void) {
  pid_t pid = Fork();
  if (pid == 0)
    for (;;) pause();
  return pid;
}

static long Send(int pidfd, int number, void* info, unsigned flags) {
  return syscall(SYS_pidfd_send_signal, pidfd, number, info, flags);
}

static void* Thread(void* arg) {
  errno = 0;
  long fd = syscall(SYS_pidfd_open, Gettid(), 0);
  CHECK(fd == -1 && (errno == EINVAL || errno == ENOENT));  // only leaders, without PIDFD_THREAD
  return arg;
}

int main(void) {
  pid_t pid = Blocked();
  int fd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (fd == -1 && errno == ENOSYS) SKIP("no pidfd_open");
  CHECK(fd >= 0);
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  CHECK_ERR(syscall(SYS_pidfd_open, 0x3fffffff, 0), ESRCH);
  CHECK_ERR(syscall(SYS_pidfd_open, -1, 0), EINVAL);
  CHECK_ERR(syscall(SYS_pidfd_open, pid, 0x40000000), EINVAL);
  char byte;
  CHECK_ERR(read(fd, &byte, 1), EINVAL);
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  ReadText(path, text, sizeof text);
  char wanted[32];
  snprintf(wanted, sizeof wanted, "\nPid:\t%d\n", (int)pid);
  CHECK(strstr(text, wanted) != NULL);
  JoinThread(StartThread(Thread, NULL));

  struct pollfd item = {.fd = fd, .events = POLLIN};
  CHECK_EQ(poll(&item, 1, 0), 0);
  CHECK_OK(Send(fd, 0, NULL, 0));
  CHECK_ERR(Send(fd, 65, NULL, 0), EINVAL);
  CHECK_ERR(Send(fd, 0, NULL, 0x40000000), EINVAL);
  CHECK_ERR(Send(0, 0, NULL, 0), EBADF);
  CHECK_ERR(Send(-1, 0, NULL, 0), EBADF);
  CHECK_ERR(Send(fd, 0, BAD_POINTER, 0), EFAULT);
  siginfo_t info;
  memset(&info, 0, sizeof info);
  info.si_signo = SIGUSR1;
  info.si_code = SI_USER;
  CHECK_ERR(Send(fd, SIGUSR1, &info, 0), EPERM);
  CHECK_ERR(Send(fd, SIGUSR2, &info, 0), EINVAL);  // not the signal of the siginfo

  int epoll = (int)CHECK_OK(epoll_create1(EPOLL_CLOEXEC));
  struct epoll_event event = {.events = EPOLLIN};
  CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
  CHECK_OK(Send(fd, SIGTERM, NULL, 0));
  CHECK_EQ(epoll_wait(epoll, &event, 1, -1), 1);
  CHECK_EQ(poll(&item, 1, -1), 1);
  CHECK_EQ(item.revents & POLLIN, POLLIN);
  WAIT_SIGNAL(pid, SIGTERM);
  CHECK_ERR(Send(fd, 0, NULL, 0), ESRCH);
  CHECK_EQ(poll(&item, 1, 0), 1);
  close(fd);

  // Values come with a siginfo of the sender's own making.
  int mine = (int)CHECK_OK(syscall(SYS_pidfd_open, getpid(), 0));
  Mask(SIG_BLOCK, SIGUSR1);
  info.si_code = SI_QUEUE;
  info.si_value.sival_int = 99;
  CHECK_OK(Send(mine, SIGUSR1, &info, 0));
  sigset_t set = SetOf(SIGUSR1);
  CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
  CHECK_EQ(info.si_value.sival_int, 99);

  // A descriptor of another process.
  TempDir();
  WriteFile("file", "0123456789");
  int* number = SharedPage();
  pid = Fork();
  if (pid == 0) {
    int opened = (int)CHECK_OK(open("file", O_RDONLY));
    CHECK_EQ(lseek(opened, 4, SEEK_SET), 4);
    *number = opened;
    for (;;) pause();
  }
  CHECK(EVENTUALLY(*number));
  fd = (int)CHECK_OK(syscall(SYS_pidfd_open, pid, 0));
  long copy = syscall(SYS_pidfd_getfd, fd, *number, 0);
  if (copy >= 0) {
    CHECK_EQ(lseek((int)copy, 0, SEEK_CUR), 4);  // the same open file
    CHECK_EQ(fcntl((int)copy, F_GETFD), FD_CLOEXEC);
    CHECK_ERR(syscall(SYS_pidfd_getfd, fd, 9999, 0), EBADF);
    CHECK_ERR(syscall(SYS_pidfd_getfd, fd, *number, 1), EINVAL);
    CHECK_ERR(syscall(SYS_pidfd_getfd, 0, *number, 0), EBADF);
  } else {
    CHECK(errno == EPERM || errno == ENOSYS);
  }
  CHECK_OK(kill(pid, SIGKILL));
  WAIT_SIGNAL(pid, SIGKILL);
  return 0;
}
