// execveat(2): relative to a directory, of an open file (AT_EMPTY_PATH, fexecve), without following
// symlinks.
#include "proc.h"

#ifndef SYS_execveat
#error "no execveat"
#endif

static char* environment[] = {"CHILD=1", NULL};
static char* args[] = {"name", NULL};

static long Exec(int dir, const char* path, int flags) {
  return syscall(SYS_execveat, dir, path, args, environment, flags);
}

int main(int argc, char** argv) {
  if (getenv("CHILD")) return argc == 1 && strcmp(argv[0], "name") == 0 ? 17 : 1;
  TempDir();
  char self[PATH_MAX] = "";
  CHECK_OK(readlink("/proc/self/exe", self, sizeof self - 1));
  char* base = strrchr(self, '/');
  int exe = (int)CHECK_OK(open(self, O_RDONLY | O_CLOEXEC));
  int path_only = (int)CHECK_OK(open(self, O_PATH | O_CLOEXEC));
  CHECK_OK(symlink(self, "link"));
  *base++ = 0;
  int dir = (int)CHECK_OK(open(self[0] ? self : "/", O_RDONLY | O_DIRECTORY));
  pid_t pid;
#define RUNS(...)              \
  do {                         \
    pid = Fork();              \
    if (pid == 0) {            \
      __VA_ARGS__;             \
      fprintf(stderr, "%m\n"); \
      _exit(99);               \
    }                          \
    WAIT_EXIT(pid, 17);        \
  } while (0)
  RUNS(Exec(dir, base, 0));
  RUNS(Exec(AT_FDCWD, "link", 0));
  RUNS(Exec(exe, "", AT_EMPTY_PATH));
  RUNS(Exec(path_only, "", AT_EMPTY_PATH));
  RUNS(Exec(-1, "/proc/self/exe", 0));
  RUNS(fexecve(exe, args, environment));

  CHECK_ERR(Exec(AT_FDCWD, "link", AT_SYMLINK_NOFOLLOW), ELOOP);
  CHECK_ERR(Exec(exe, "", 0), ENOENT);
  CHECK_ERR(Exec(exe, "x", 0), ENOTDIR);
  CHECK_ERR(Exec(-1, "x", 0), EBADF);
  CHECK_ERR(Exec(-1, "", AT_EMPTY_PATH), EBADF);
  CHECK_ERR(Exec(dir, "", AT_EMPTY_PATH), EACCES);
  CHECK_ERR(Exec(dir, base, 0x40000000), EINVAL);
  CHECK_ERR(Exec(AT_FDCWD, "missing", 0), ENOENT);

  // A script run through a descriptor gets a path under /dev/fd, which close-on-exec would make
  // useless.
  WriteFile("script", "#!link\n");
  CHECK_OK(chmod("script", 0755));
  int script = (int)CHECK_OK(open("script", O_RDONLY | O_CLOEXEC));
  CHECK_ERR(Exec(script, "", AT_EMPTY_PATH), ENOENT);

  // A file without a name any more runs too.
  int memory = (int)syscall(SYS_memfd_create, "program", 0);
  if (memory >= 0) {
    static char buffer[65536];
    ssize_t n;
    CHECK_OK(lseek(exe, 0, SEEK_SET));
    while ((n = (ssize_t)CHECK_OK(read(exe, buffer, sizeof buffer))) > 0)
      CHECK_EQ(write(memory, buffer, (size_t)n), n);
    int again;
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", memory);
    again = (int)CHECK_OK(open(name, O_RDONLY | O_CLOEXEC));
    close(memory);
    RUNS(Exec(again, "", AT_EMPTY_PATH));
  }
  return 0;
}
