// A process that shares its root and working directory with another gains nothing by a set-user-id
// program.
#include "proc.h"

static int Report(void) { return geteuid() == 0 ? 20 : 21; }

static char* const report[] = {"setuid", "report", NULL};

// What the program says that a child of ours executes, as nobody or with that real user id only,
// beside a process that has its fs context (CLONE_FS) or not.
static int Execute(int flags, bool only_real_id) {
  const pid_t pid = (pid_t)CHECK_OK(fork());
  if (pid == 0) {
    if (only_real_id) {
      CHECK_OK(setresuid(65534, 0, 0));
    } else {
      BecomeNobody();
    }
    int ends[2];
    CHECK_OK(pipe2(ends, O_CLOEXEC));
    if (CHECK_OK(syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL)) == 0) {
      char byte;
      close(ends[1]);
      _exit((int)read(ends[0], &byte, 1));  // until execve closes the other end
    }
    execv("setuid", report);
    _exit(1);
  }
  int status;
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  CHECK(WIFEXITED(status));
  return WEXITSTATUS(status);
}

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "report") == 0) return Report();
  if (!IsRoot()) SKIP("needs root");
  TempDir();
  CHECK_OK(chmod(".", 0755));
  const int from = (int)CHECK_OK(open("/proc/self/exe", O_RDONLY));
  const int to = (int)CHECK_OK(open("setuid", O_WRONLY | O_CREAT | O_EXCL, 0755));
  char buffer[65536];
  for (ssize_t n; (n = CHECK_OK(read(from, buffer, sizeof buffer))) > 0;)
    CHECK_EQ(write(to, buffer, (size_t)n), n);
  close(from);
  close(to);
  CHECK_OK(chmod("setuid", 04755));
  if (Execute(0, false) != 20) SKIP("set-user-id programs have no effect here");
  CHECK_EQ(Execute(CLONE_FS, false), 21);
  CHECK_EQ(Execute(CLONE_FS, true), 20);  // it may set its ids anyway
  return 0;
}
