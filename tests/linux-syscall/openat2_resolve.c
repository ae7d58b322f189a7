// openat2(2): RESOLVE_* walk restrictions, strict flag checks, the extensible struct.
#include <linux/openat2.h>

#include "check.h"

static int OpenHow(int dir, const char* path, uint64_t flags, uint64_t mode, uint64_t resolve) {
  struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};
  return (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
}

static void TestResolve(const char* home) {
  CHECK_OK(mkdir("root", 0755));
  CHECK_OK(mkdir("root/sub", 0755));
  WriteFile("root/file", "inside");
  WriteFile("file", "outside!");
  CHECK_OK(symlink("../file", "root/up"));
  CHECK_OK(symlink("/file", "root/absolute"));
  CHECK_OK(symlink("file", "root/plain"));
  int dir = (int)CHECK_OK(open("root", O_PATH | O_DIRECTORY));
  struct stat st;

  close((int)CHECK_OK(OpenHow(dir, "sub/../file", O_RDONLY, 0, RESOLVE_BENEATH)));
  CHECK_ERR(OpenHow(dir, "../file", O_RDONLY, 0, RESOLVE_BENEATH), EXDEV);
  CHECK_ERR(OpenHow(dir, "up", O_RDONLY, 0, RESOLVE_BENEATH), EXDEV);
  CHECK_ERR(OpenHow(dir, "absolute", O_RDONLY, 0, RESOLVE_BENEATH), EXDEV);
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/root/file", home);
  CHECK_ERR(OpenHow(dir, path, O_RDONLY, 0, RESOLVE_BENEATH), EXDEV);
  close((int)CHECK_OK(OpenHow(dir, "plain", O_RDONLY, 0, RESOLVE_BENEATH)));

  // As if chrooted: all ways lead to the file inside.
  static const char* const kWays[] = {"file", "../file", "up", "absolute", "/file", "/../../file"};
  for (size_t i = 0; i < sizeof kWays / sizeof kWays[0]; i++) {
    int fd = (int)CHECK_OK(OpenHow(dir, kWays[i], O_RDONLY, 0, RESOLVE_IN_ROOT));
    CHECK_OK(fstat(fd, &st));
    CHECK_EQ(st.st_size, 6);
    close(fd);
  }

  CHECK_ERR(OpenHow(dir, "plain", O_RDONLY, 0, RESOLVE_NO_SYMLINKS), ELOOP);
  close((int)CHECK_OK(OpenHow(dir, "plain", O_PATH | O_NOFOLLOW, 0, RESOLVE_NO_SYMLINKS)));
  close((int)CHECK_OK(OpenHow(dir, "file", O_RDONLY, 0, RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV)));
  CHECK_ERR(OpenHow(AT_FDCWD, "/proc/self/stat", O_RDONLY, 0, RESOLVE_NO_XDEV), EXDEV);
  CHECK_ERR(OpenHow(AT_FDCWD, "/proc/self/cwd", O_RDONLY, 0, RESOLVE_NO_MAGICLINKS), ELOOP);
}

static void TestStrictness(void) {
  CHECK_ERR(OpenHow(AT_FDCWD, "file", 1ull << 40, 0, 0), EINVAL);
  CHECK_ERR(OpenHow(AT_FDCWD, "file", O_RDONLY, 0600, 0), EINVAL);  // mode without O_CREAT
  CHECK_ERR(OpenHow(AT_FDCWD, "fresh", O_CREAT | O_RDWR, 0200000, 0), EINVAL);
  CHECK_ERR(OpenHow(AT_FDCWD, "file", O_RDONLY, 0, 1 << 20), EINVAL);
  CHECK_ERR(OpenHow(AT_FDCWD, "file", O_PATH | O_RDWR, 0, 0), EINVAL);
  CHECK_ERR(OpenHow(AT_FDCWD, "file", O_RDONLY, 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT), EINVAL);
  close((int)CHECK_OK(OpenHow(AT_FDCWD, "fresh", O_CREAT | O_RDWR | O_EXCL, 0600, 0)));

  struct {
    struct open_how how;
    uint64_t more;
  } big = {{.flags = O_RDONLY}, 0};
  CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, "file", &big, 0), EINVAL);
  CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, "file", &big, 23), EINVAL);
  close((int)CHECK_OK(syscall(SYS_openat2, AT_FDCWD, "file", &big, sizeof big)));
  big.more = 1;
  CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, "file", &big, sizeof big), E2BIG);
  CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, "file", NULL, sizeof big.how), EFAULT);
}

int main(void) {
  const char* home = TempDir();
  TestResolve(home);
  TestStrictness();
  return 0;
}
