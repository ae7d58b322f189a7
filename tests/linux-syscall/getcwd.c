// getcwd(2): the kernel's own call, small buffers, removed and renamed directories.
#include "check.h"

int main(void) {
  const char* home = TempDir();
  char* real = realpath(home, NULL);
  CHECK(real);
  char path[PATH_MAX];
  long length = CHECK_OK(syscall(SYS_getcwd, path, sizeof path));
  CHECK_EQ(length, strlen(real) + 1);  // the zero counts
  CHECK_STR(path, real);
  CHECK_OK(syscall(SYS_getcwd, path, length));
  CHECK_ERR(syscall(SYS_getcwd, path, length - 1), ERANGE);
  CHECK_ERR(syscall(SYS_getcwd, path, 0), ERANGE);
  CHECK_ERR(syscall(SYS_getcwd, NULL, sizeof path), EFAULT);
  CHECK_OK(chdir("/"));
  CHECK_EQ(syscall(SYS_getcwd, path, sizeof path), 2);
  CHECK_STR(path, "/");
  CHECK_OK(chdir(home));

  CHECK_OK(mkdir("d", 0755));
  CHECK_OK(chdir("d"));
  CHECK_OK(rmdir("../d"));
  CHECK_ERR(syscall(SYS_getcwd, path, sizeof path), ENOENT);
  struct stat st;
  CHECK_OK(stat(".", &st));
  CHECK_ERR(open("f", O_RDWR | O_CREAT, 0600), ENOENT);
  CHECK_ERR(mkdir("x", 0755), ENOENT);
  CHECK_ERR(stat("f", &st), ENOENT);
  CHECK_OK(chdir(".."));
  CHECK_OK(syscall(SYS_getcwd, path, sizeof path));
  CHECK_STR(path, real);

  // Deeper than one call's path can say: still reachable step by step.
  char name[101];
  memset(name, 'n', 100);
  name[100] = 0;
  for (int i = 0; i < 45; i++) {
    CHECK_OK(mkdir(name, 0755));
    CHECK_OK(chdir(name));
  }
  CHECK_ERR(syscall(SYS_getcwd, path, sizeof path), ENAMETOOLONG);
  for (int i = 0; i < 45; i++) {
    CHECK_OK(chdir(".."));
    CHECK_OK(rmdir(name));
  }
  free(real);
  return 0;
}
