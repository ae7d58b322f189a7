// waitid(2): P_ALL, P_PID, P_PGID, P_PIDFD; WNOWAIT; what siginfo says; the errors.
#include "proc.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static pid_t Leaving(int code) {
  pid_t pid = Fork();
  if (pid == 0) _exit(code);
  return pid;
}

static pid_t Blocked(void) {
  pid_t pid = Fork();
  if (pid == 0)
    for (;;) pause();
  return pid;
}

int main(void) {
  siginfo_t info;
  memset(&info, 0xee, sizeof info);
  CHECK_ERR(waitid(P_ALL, 0, &info, WEXITED), ECHILD);
  CHECK_ERR(waitid(P_ALL, 0, &info, 0), EINVAL);
  CHECK_ERR(waitid(P_ALL, 0, &info, WNOHANG), EINVAL);
  CHECK_ERR(waitid(P_ALL, 0, &info, WEXITED | 0x100), EINVAL);
  CHECK_ERR(waitid(77, 0, &info, WEXITED), EINVAL);
  CHECK_ERR(waitid(P_PID, 0, &info, WEXITED), EINVAL);
  CHECK_ERR(waitid(P_PID, (id_t)-4, &info, WEXITED), EINVAL);
  CHECK_ERR(waitid(P_PGID, (id_t)-4, &info, WEXITED), EINVAL);
  CHECK_ERR(waitid(P_PID, 1, &info, WEXITED), ECHILD);

  pid_t pid = Leaving(300 & 0xff);
  CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
  CHECK_EQ(info.si_pid, pid);
  CHECK_EQ(info.si_uid, getuid());
  CHECK_EQ(info.si_signo, SIGCHLD);
  CHECK_EQ(info.si_code, CLD_EXITED);
  CHECK_EQ(info.si_status, 44);
  CHECK_EQ(info.si_errno, 0);
  CHECK_EQ(TaskState(pid), 'Z');  // still there
  CHECK_OK(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT | WNOHANG));
  CHECK_EQ(info.si_pid, pid);
  CHECK_OK(waitid(P_PGID, (id_t)getpgrp(), &info, WEXITED));
  CHECK_EQ(info.si_pid, pid);
  CHECK_ERR(waitid(P_PID, (id_t)pid, &info, WEXITED), ECHILD);

  // P_PGID with 0 is the caller's own group.
  pid = Leaving(1);
  CHECK_OK(waitid(P_PGID, 0, NULL, WEXITED));
  CHECK_ERR(waitid(P_PID, (id_t)pid, &info, WEXITED), ECHILD);

  pid = Blocked();
  memset(&info, 0xee, sizeof info);
  CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG));
  CHECK_EQ(info.si_pid, 0);  // nothing yet: zeroes
  CHECK_EQ(info.si_signo, 0);
  CHECK_OK(kill(pid, SIGSTOP));
  CHECK_OK(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT));
  CHECK_EQ(info.si_code, CLD_STOPPED);
  CHECK_EQ(info.si_status, SIGSTOP);
  CHECK_OK(waitid(P_PID, (id_t)pid, &info, WSTOPPED));
  CHECK_EQ(info.si_code, CLD_STOPPED);
  CHECK_OK(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOHANG));
  CHECK_EQ(info.si_pid, 0);
  CHECK_OK(kill(pid, SIGCONT));
  CHECK_OK(waitid(P_PID, (id_t)pid, &info, WCONTINUED | WNOWAIT));
  CHECK_OK(waitid(P_PID, (id_t)pid, &info, WCONTINUED));
  CHECK_EQ(info.si_code, CLD_CONTINUED);
  CHECK_EQ(info.si_status, SIGCONT);
  CHECK_OK(kill(pid, SIGKILL));
  CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED));
  CHECK_EQ(info.si_code, CLD_KILLED);
  CHECK_EQ(info.si_status, SIGKILL);

  // The raw call takes a place for resource usage and may do without siginfo.
  pid = Leaving(2);
  struct rusage usage;
  memset(&usage, 0xee, sizeof usage);
  CHECK_OK(syscall(SYS_waitid, P_PID, pid, NULL, WEXITED, &usage));
  CHECK(usage.ru_utime.tv_sec >= 0 && usage.ru_utime.tv_sec < 10);
  pid = Leaving(2);
  CHECK_ERR(syscall(SYS_waitid, P_PID, pid, BAD_POINTER, WEXITED, NULL), EFAULT);

  CHECK_ERR(waitid(P_PIDFD, 1000, &info, WEXITED), EBADF);
  pid = Blocked();
  int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (pidfd >= 0) {
    int null = (int)CHECK_OK(open("/dev/null", O_RDONLY));
    CHECK_ERR(waitid(P_PIDFD, (id_t)null, &info, WEXITED), EBADF);
    CHECK_OK(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG));
    CHECK_EQ(info.si_pid, 0);
    CHECK_OK(kill(pid, SIGTERM));
    CHECK_OK(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED));
    CHECK_EQ(info.si_pid, pid);
    CHECK_EQ(info.si_status, SIGTERM);
    CHECK_ERR(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED), ECHILD);
  } else {
    CHECK_OK(kill(pid, SIGTERM));
    WAIT_SIGNAL(pid, SIGTERM);
  }
  return 0;
}
