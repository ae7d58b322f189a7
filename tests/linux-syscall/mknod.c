// mknod(2): regular files and FIFOs for everybody, devices for root, sockets, errors.
#include <sys/sysmacros.h>

#include "check.h"

int main(void) {
  umask(022);
  TempDir();
  struct stat st;
  CHECK_OK(mknod("f", S_IFREG | 0666, 0));
  CHECK_OK(stat("f", &st));
  CHECK_EQ(st.st_mode, S_IFREG | 0644);
  CHECK_OK(mknod("zero", 0600, 0));  // no type means a regular file
  CHECK_OK(stat("zero", &st));
  CHECK(S_ISREG(st.st_mode));
  CHECK_OK(mknod("p", S_IFIFO | 0600, 0));
  CHECK_OK(stat("p", &st));
  CHECK(S_ISFIFO(st.st_mode));
  CHECK_OK(mknod("s", S_IFSOCK | 0600, 0));
  CHECK_OK(stat("s", &st));
  CHECK(S_ISSOCK(st.st_mode));
  CHECK_ERR(open("s", O_RDWR), ENXIO);
  CHECK_ERR(mknod("f", S_IFREG | 0600, 0), EEXIST);
  CHECK_ERR(mknod("d", S_IFDIR | 0700, 0), EPERM);
  CHECK_ERR(mknod("l", S_IFLNK | 0700, 0), EINVAL);
  CHECK_ERR(mknod("x/y", S_IFREG | 0700, 0), ENOENT);
  CHECK_ERR(mknod("x/", S_IFREG | 0700, 0), ENOENT);
  CHECK_ERR(mknod("f/x", S_IFREG | 0700, 0), ENOTDIR);
  int dir = (int)CHECK_OK(open(".", O_PATH));
  CHECK_OK(mknodat(dir, "at", S_IFIFO | 0600, 0));
  if (!IsRoot()) {
    CHECK_ERR(mknod("dev", S_IFCHR | 0600, makedev(1, 3)), EPERM);
    CHECK_ERR(mknod("dev", S_IFBLK | 0600, makedev(1, 3)), EPERM);
  } else if (mknod("dev", S_IFCHR | 0600, makedev(1, 3)) == 0) {
    CHECK_OK(stat("dev", &st));
    CHECK(S_ISCHR(st.st_mode));
    CHECK_EQ(st.st_rdev, makedev(1, 3));
  }
  return 0;
}
