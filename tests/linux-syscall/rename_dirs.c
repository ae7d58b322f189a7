// rename(2) of directories: over empty ones, not over others, not into themselves; .. and counts
// follow.
#include "check.h"

int main(void) {
  const char* home = TempDir();
  struct stat st, up;
  CHECK_OK(mkdir("a", 0755));
  CHECK_OK(mkdir("a/sub", 0755));
  CHECK_OK(mkdir("b", 0755));
  WriteFile("a/f", "x");
  CHECK_ERR(rename("a", "a/sub/x"), EINVAL);
  CHECK_ERR(rename("a", "a/x"), EINVAL);
  CHECK_ERR(rename("a/sub", "a"), ENOTEMPTY);
  CHECK_ERR(rename("b", "a"), ENOTEMPTY);
  CHECK_OK(rename("a", "b"));  // over an empty one
  CHECK_OK(access("b/sub", F_OK));
  CHECK_ERR(access("a", F_OK), ENOENT);

  CHECK_OK(mkdir("c", 0755));
  CHECK_OK(rename("b/sub", "c/moved"));
  CHECK_OK(stat("c/moved/..", &up));
  CHECK_OK(stat("c", &st));
  CHECK_EQ(up.st_ino, st.st_ino);
  CHECK_EQ(st.st_nlink == 3 || st.st_nlink == 1, 1);  // 1: the file system does not count

  // A process inside sees the new name.
  CHECK_OK(chdir("c/moved"));
  CHECK_OK(rename("../../c", "../../renamed"));
  char path[PATH_MAX], wanted[PATH_MAX];
  CHECK_OK(syscall(SYS_getcwd, path, sizeof path));
  snprintf(wanted, sizeof wanted, "%s/renamed/moved", home);
  char* real = realpath(home, NULL);
  snprintf(wanted, sizeof wanted, "%s/renamed/moved", real);
  free(real);
  CHECK_STR(path, wanted);
  CHECK_OK(chdir(home));

  // Over an empty directory that somebody still has open.
  CHECK_OK(mkdir("empty", 0755));
  int fd = (int)CHECK_OK(open("empty", O_RDONLY));
  CHECK_OK(mkdir("full", 0755));
  WriteFile("full/f", "x");
  CHECK_OK(rename("full", "empty"));
  CHECK_OK(access("empty/f", F_OK));
  CHECK_ERR(openat(fd, "f", O_RDONLY), ENOENT);
  CHECK_ERR(openat(fd, "g", O_RDWR | O_CREAT, 0600), ENOENT);
  return 0;
}
