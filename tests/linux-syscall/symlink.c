// symlink(2), readlink(2): any text is a target, buffers are cut, kinds, trailing slashes.
#include "check.h"

int main(void) {
  TempDir();
  char target[PATH_MAX];
  CHECK_OK(symlink("some where/../odd", "l"));
  CHECK_EQ(readlink("l", target, sizeof target), 17);
  CHECK_MEM(target, "some where/../odd", 17);
  CHECK_EQ(readlink("l", target, 4), 4);  // cut without a word, no zero at the end
  target[1] = '#';
  CHECK_EQ(readlink("l", target, 1), 1);
  CHECK_EQ(target[1], '#');
  CHECK_ERR(readlink("l", target, 0), EINVAL);
  CHECK_ERR(symlink("", "x"), ENOENT);
  CHECK_ERR(symlink("t", ""), ENOENT);
  CHECK_ERR(symlink("t", "l"), EEXIST);
  CHECK_ERR(symlink("t", "missing/x"), ENOENT);
  CHECK_ERR(symlink("t", "x/"), ENOENT);
  WriteFile("f", "x");
  CHECK_ERR(symlink("t", "f/x"), ENOTDIR);
  CHECK_ERR(readlink("f", target, sizeof target), EINVAL);
  CHECK_ERR(readlink(".", target, sizeof target), EINVAL);
  CHECK_ERR(readlink("missing", target, sizeof target), ENOENT);
  CHECK_ERR(readlink("f/x", target, sizeof target), ENOTDIR);

  memset(target, 'x', sizeof target);
  target[4095] = 0;
  CHECK(symlink(target, "long") == 0 || errno == ENAMETOOLONG);  // block size decides
  char too_long[4200];
  memset(too_long, 'x', sizeof too_long);
  too_long[4199] = 0;
  CHECK_ERR(symlink(too_long, "longer"), ENAMETOOLONG);

  // Relative targets start where the link lies.
  CHECK_OK(mkdir("d", 0755));
  CHECK_OK(symlink("../f", "d/up"));
  CHECK_OK(access("d/up", F_OK));
  CHECK_OK(symlink("d", "dl"));
  struct stat st;
  CHECK_OK(lstat("dl/", &st));  // the slash asks for the directory
  CHECK(S_ISDIR(st.st_mode));
  CHECK_ERR(readlink("dl/", target, sizeof target), EINVAL);
  CHECK_OK(mkdir("dl/in", 0755));
  CHECK_OK(access("d/in", F_OK));
  CHECK_ERR(mkdir("dl", 0755), EEXIST);
  CHECK_ERR(mkdir("l", 0755), EEXIST);
  CHECK_OK(symlink("fresh", "todir"));
  CHECK_ERR(mkdir("todir", 0755), EEXIST);
  CHECK_OK(lstat("l", &st));
  CHECK_EQ(st.st_size, 17);

  // The magic link of a process's working directory.
  ssize_t n = CHECK_OK(readlink("/proc/self/cwd", target, sizeof target - 1));
  target[n] = 0;
  char* here = getcwd(NULL, 0);
  CHECK_STR(target, here);
  free(here);
  return 0;
}
