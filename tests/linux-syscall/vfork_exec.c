// vfork(2) and execve(2): the parent goes on when the child has its new program; a failed exec
// leaves all shared.
#include <spawn.h>

#include "proc.h"

static volatile int error;
static int rounds;

int main(int argc, char** argv, char** envp) {
  if (argc == 3 && strcmp(argv[1], "child") == 0) {
    char byte;
    int fd = atoi(argv[2]);
    if (fd >= 0 && read(fd, &byte, 1) != 1) return 1;
    return 23;
  }
  int gate[2];
  CHECK_OK(pipe(gate));
  char number[16];
  snprintf(number, sizeof number, "%d", gate[0]);
  char* args[] = {argv[0], "child", number, NULL};
  pid_t pid = vfork();
  if (pid == 0) {
    execve("/proc/self/exe", args, envp);
    _exit(99);
  }
  // The new program cannot end before this byte: the parent was released by the exec, not by the
  // exit.
  CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
  CHECK_EQ(write(gate[1], "x", 1), 1);
  WAIT_EXIT(pid, 23);

  pid = vfork();
  if (pid == 0) {
    execve("/does/not/exist", args, envp);
    error = errno;
    execve("/proc/self/exe", BAD_POINTER, envp);
    if (errno != EFAULT) error = -1;
    _exit(3);
  }
  WAIT_EXIT(pid, 3);
  CHECK_EQ(error, ENOENT);

  char* quick[] = {argv[0], "child", "-1", NULL};
  for (rounds = 0; rounds < 50; rounds++) {
    pid = vfork();
    if (pid == 0) {
      execve("/proc/self/exe", quick, envp);
      _exit(99);
    }
    WAIT_EXIT(pid, 23);
  }

  // What C libraries build on it.
  CHECK_EQ(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, quick, envp), 0);
  WAIT_EXIT(pid, 23);
  CHECK_EQ(posix_spawn(&pid, "/does/not/exist", NULL, NULL, quick, envp), ENOENT);
  CHECK_ERR(wait(NULL), ECHILD);
  return 0;
}
