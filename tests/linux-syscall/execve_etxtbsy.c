// A file being written cannot be run (ETXTBSY), a running file cannot be written.
#include <sys/sendfile.h>

#include "proc.h"

int main(int argc, char** argv, char** envp) {
  if (argc == 2 && strcmp(argv[1], "sleep") == 0) {
    char byte;
    return read(STDIN_FILENO, &byte, 1) == 1 ? 12 : 1;
  }
  TempDir();
  int in = (int)CHECK_OK(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  int out = (int)CHECK_OK(open("copy", O_RDWR | O_CREAT | O_CLOEXEC, 0755));
  struct stat st;
  CHECK_OK(fstat(in, &st));
  for (off_t left = st.st_size; left > 0;) left -= CHECK_OK(sendfile(out, in, NULL, (size_t)left));
  int ends[2];
  CHECK_OK(pipe(ends));
  char* args[] = {"copy", "sleep", NULL};
  CHECK_ERR(execve("copy", args, envp), ETXTBSY);
  close(out);
  int reader = (int)CHECK_OK(open("copy", O_RDONLY | O_CLOEXEC));  // reading does not matter

  pid_t pid = Fork();
  if (pid == 0) {
    dup2(ends[0], STDIN_FILENO);
    execve("copy", args, envp);
    _exit(99);
  }
  char link[64], target[PATH_MAX];
  snprintf(link, sizeof link, "/proc/%d/exe", (int)pid);
  CHECK(EVENTUALLY(({
    ssize_t n = readlink(link, target, sizeof target - 1);
    if (n > 0) target[n] = 0;
    n > 5 && strcmp(target + n - 5, "/copy") == 0;
  })));
  CHECK_ERR(open("copy", O_WRONLY), ETXTBSY);
  CHECK_ERR(open("copy", O_RDWR | O_TRUNC), ETXTBSY);
  CHECK_ERR(truncate("copy", 0), ETXTBSY);
  CHECK_OK(unlink("copy"));  // but it may go
  CHECK_EQ(write(ends[1], "x", 1), 1);
  WAIT_EXIT(pid, 12);
  close(reader);

  // The descriptor of a memfd's maker does not count: programs are run from there while it is open.
  out = (int)CHECK_OK(memfd_create("program", 0));
  CHECK_OK(lseek(in, 0, SEEK_SET));
  for (off_t left = st.st_size; left > 0;) left -= CHECK_OK(sendfile(out, in, NULL, (size_t)left));
  pid = Fork();
  if (pid == 0) {
    dup2(ends[0], STDIN_FILENO);
    fexecve(out, args, envp);
    _exit(99);
  }
  CHECK_EQ(write(ends[1], "x", 1), 1);
  WAIT_EXIT(pid, 12);
  snprintf(link, sizeof link, "/proc/self/fd/%d", out);
  int again = (int)CHECK_OK(open(link, O_RDWR | O_CLOEXEC));
  CHECK_ERR(fexecve(out, args, envp), ETXTBSY);
  close(again);
  return 0;
}
