// wait4(2): which children, WNOHANG, WUNTRACED, WCONTINUED, and the errors.
#include "proc.h"

static pid_t Blocked(void) {
  pid_t pid = Fork();
  if (pid == 0)
    for (;;) pause();
  return pid;
}

int main(void) {
  int status = 0x5555;
  CHECK_ERR(wait4(-1, &status, 0, NULL), ECHILD);
  CHECK_ERR(wait4(-1, &status, WNOHANG, NULL), ECHILD);
  CHECK_ERR(wait4(-1, &status, 0x100, NULL), EINVAL);
  CHECK_ERR(wait4(INT_MIN, &status, 0, NULL), ESRCH);
  CHECK_ERR(wait4(1, &status, 0, NULL), ECHILD);  // not a child of this one
  CHECK_EQ(status, 0x5555);

  pid_t pid = Blocked();
  CHECK_EQ(wait4(pid, &status, WNOHANG, NULL), 0);
  CHECK_EQ(wait4(-1, &status, WNOHANG, NULL), 0);
  CHECK_EQ(wait4(0, &status, WNOHANG, NULL), 0);
  CHECK_ERR(wait4(-pid, &status, WNOHANG, NULL), ECHILD);  // no group of that number
  CHECK_EQ(status, 0x5555);

  CHECK_OK(kill(pid, SIGSTOP));
  CHECK_EQ(wait4(pid, &status, WUNTRACED, NULL), pid);
  CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
  CHECK_EQ(status, SIGSTOP << 8 | 0x7f);
  CHECK_EQ(wait4(pid, &status, WUNTRACED | WNOHANG, NULL), 0);  // told once
  CHECK_OK(kill(pid, SIGCONT));
  CHECK_EQ(wait4(pid, &status, WCONTINUED, NULL), pid);
  CHECK(WIFCONTINUED(status));
  CHECK_EQ(status, 0xffff);
  CHECK_EQ(wait4(pid, &status, WCONTINUED | WNOHANG, NULL), 0);

  // Stops are not told to those who did not ask.
  CHECK_OK(kill(pid, SIGSTOP));
  AWAIT_STATE(pid, 'T');
  CHECK_EQ(wait4(pid, &status, WNOHANG, NULL), 0);
  CHECK_EQ(wait4(pid, &status, WNOHANG | WUNTRACED, NULL), pid);
  CHECK_EQ(WSTOPSIG(status), SIGSTOP);
  CHECK_OK(kill(pid, SIGKILL));  // ends a stopped one too
  CHECK_EQ(wait4(pid, &status, 0, NULL), pid);
  CHECK_EQ(status, SIGKILL);
  CHECK_ERR(wait4(pid, &status, 0, NULL), ECHILD);

  // By process group.
  pid_t other = Blocked();
  pid = Blocked();
  CHECK_OK(setpgid(pid, pid));
  CHECK_OK(kill(pid, SIGTERM));
  CHECK_OK(kill(other, SIGTERM));
  CHECK_EQ(wait4(-pid, &status, 0, NULL), pid);
  CHECK_EQ(WTERMSIG(status), SIGTERM);
  CHECK_EQ(wait4(0, &status, 0, NULL), other);

  // No status wanted, and a place that cannot be written: the child is reaped all the same.
  pid = Fork();
  if (pid == 0) _exit(1);
  CHECK_EQ(wait4(pid, NULL, 0, NULL), pid);
  pid = Fork();
  if (pid == 0) _exit(1);
  CHECK_ERR(syscall(SYS_wait4, pid, BAD_POINTER, 0, NULL), EFAULT);
  CHECK_ERR(wait4(pid, &status, 0, NULL), ECHILD);
  return 0;
}
