// A zombie keeps its number and takes signals without effect until its parent waits for it.
#include "proc.h"

int main(void) {
  pid_t pid = Fork();
  if (pid == 0) _exit(3);
  AWAIT_STATE(pid, 'Z');
  CHECK_OK(kill(pid, 0));
  CHECK_OK(kill(pid, SIGKILL));
  CHECK_EQ(getpgid(pid), getpgrp());
  CHECK_EQ(getsid(pid), getsid(0));
  CHECK_EQ(setpgid(pid, pid), 0);
  CHECK_EQ(getpgid(pid), pid);
  char path[64], text[4096];
  snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
  CHECK_EQ(ReadText(path, text, sizeof text), 0);
  snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
  ReadText(path, text, sizeof text);
  CHECK(strstr(text, "State:\tZ (zombie)") != NULL);
  CHECK(strstr(text, "VmSize") == NULL);
  snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
  CHECK_ERR(readlink(path, text, sizeof text), ENOENT);
  WAIT_EXIT(pid, 3);
  CHECK_ERR(kill(pid, 0), ESRCH);
  CHECK_ERR(getpgid(pid), ESRCH);
  CHECK_EQ(TaskState(pid), 0);

  // With SIGCHLD ignored nobody becomes one, and waiting lasts until all have gone.
  Handle(SIGCHLD, SIG_IGN, 0);
  for (int i = 0; i < 5; i++) {
    pid = Fork();
    if (pid == 0) {
      Nap(5);
      _exit(1);
    }
  }
  CHECK_ERR(wait(NULL), ECHILD);
  CHECK_EQ(TaskState(pid), 0);
  Handle(SIGCHLD, SIG_DFL, 0);
  pid = Fork();
  if (pid == 0) _exit(3);
  WAIT_EXIT(pid, 3);
  return 0;
}
