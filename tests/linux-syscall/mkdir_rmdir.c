// mkdir(2), rmdir(2): link counts, names that cannot be made or removed, ENOTEMPTY.
#include "check.h"

int main(void) {
  umask(0);
  TempDir();
  struct stat st;
  CHECK_OK(mkdir("d", 0712));
  CHECK_OK(stat("d", &st));
  CHECK_EQ(st.st_mode, S_IFDIR | 0712);
  CHECK(st.st_nlink == 2 || st.st_nlink == 1);
  nlink_t empty = st.st_nlink;
  CHECK_OK(mkdir("d/s/", 0755));  // a slash at the end is fine here
  CHECK_OK(stat("d", &st));
  CHECK(st.st_nlink == empty + 1 || empty == 1);
  CHECK_ERR(mkdir("d", 0755), EEXIST);
  CHECK_ERR(mkdir("d/.", 0755), EEXIST);
  CHECK_ERR(mkdir("d/..", 0755), EEXIST);
  CHECK_ERR(mkdir("/", 0755), EEXIST);
  CHECK_ERR(mkdir(".", 0755), EEXIST);
  CHECK_ERR(mkdir("", 0755), ENOENT);
  CHECK_ERR(mkdir("x/y", 0755), ENOENT);
  CHECK_ERR(mkdir("x/.", 0755), ENOENT);
  WriteFile("f", "x");
  CHECK_ERR(mkdir("f", 0755), EEXIST);
  CHECK_ERR(mkdir("f/x", 0755), ENOTDIR);
  CHECK_OK(symlink("gone", "l"));
  CHECK_ERR(mkdir("l", 0755), EEXIST);
  CHECK_OK(mkdir("t", 01777));
  CHECK_OK(stat("t", &st));
  CHECK_EQ(st.st_mode, S_IFDIR | 01777);

  CHECK_ERR(rmdir("d"), ENOTEMPTY);
  CHECK_ERR(rmdir("f"), ENOTDIR);
  CHECK_ERR(rmdir("l"), ENOTDIR);
  CHECK_ERR(rmdir("missing"), ENOENT);
  CHECK_ERR(rmdir("d/."), EINVAL);
  CHECK_ERR(rmdir("d/.."), ENOTEMPTY);
  CHECK_ERR(rmdir("d/s/.."), ENOTEMPTY);
  CHECK_ERR(rmdir("/"), EBUSY);
  CHECK_ERR(rmdir(""), ENOENT);
  CHECK_OK(rmdir("d/s/"));
  CHECK_OK(stat("d", &st));
  CHECK_EQ(st.st_nlink, empty);
  int fd = (int)CHECK_OK(open("d", O_RDONLY));
  CHECK_OK(rmdir("d"));
  CHECK_OK(fstat(fd, &st));
  CHECK_EQ(st.st_nlink, 0);
  CHECK_OK(mkdir("d", 0755));
  CHECK_ERR(mkdirat(fd, "x", 0755), ENOENT);
  return 0;
}
