// statx(2): agreement with stat(2), masks, birth time, attributes, errors.
#include <linux/stat.h>
#include <sys/sysmacros.h>

#include "check.h"

int main(void) {
  TempDir();
  WriteFile("f", "12345");
  CHECK_OK(symlink("f", "link"));
  struct stat st;
  struct statx sx;
  CHECK_OK(stat("f", &st));
  memset(&sx, 0xff, sizeof sx);
  CHECK_OK(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS | STATX_BTIME, &sx));
  CHECK_EQ(sx.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
  CHECK_EQ(sx.stx_mode, st.st_mode);
  CHECK_EQ(sx.stx_nlink, st.st_nlink);
  CHECK_EQ(sx.stx_uid, st.st_uid);
  CHECK_EQ(sx.stx_gid, st.st_gid);
  CHECK_EQ(sx.stx_ino, st.st_ino);
  CHECK_EQ(sx.stx_size, 5);
  CHECK_EQ(sx.stx_blocks, st.st_blocks);
  CHECK_EQ(sx.stx_blksize, st.st_blksize);
  CHECK_EQ(makedev(sx.stx_dev_major, sx.stx_dev_minor), st.st_dev);
  CHECK_EQ(sx.stx_mtime.tv_sec, st.st_mtim.tv_sec);
  CHECK_EQ(sx.stx_mtime.tv_nsec, st.st_mtim.tv_nsec);
  CHECK_EQ(sx.stx_ctime.tv_nsec, st.st_ctim.tv_nsec);
  if (sx.stx_mask & STATX_BTIME) CHECK(sx.stx_btime.tv_sec <= st.st_ctim.tv_sec);

  CHECK_OK(statx(AT_FDCWD, "link", AT_SYMLINK_NOFOLLOW, STATX_TYPE, &sx));
  CHECK(S_ISLNK(sx.stx_mode));
  CHECK_OK(statx(AT_FDCWD, "link", 0, STATX_TYPE, &sx));
  CHECK(S_ISREG(sx.stx_mode));
  int fd = (int)CHECK_OK(open("f", O_RDONLY));
  CHECK_OK(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &sx));
  CHECK_EQ(sx.stx_size, 5);
  CHECK_OK(statx(AT_FDCWD, "f", AT_STATX_FORCE_SYNC, STATX_SIZE, &sx));
  CHECK_OK(statx(AT_FDCWD, "f", AT_STATX_DONT_SYNC, STATX_SIZE, &sx));
  CHECK_OK(statx(AT_FDCWD, "/dev/null", 0, STATX_BASIC_STATS, &sx));
  CHECK_EQ(sx.stx_rdev_major, 1);
  CHECK_EQ(sx.stx_rdev_minor, 3);

  CHECK_ERR(statx(AT_FDCWD, "f", AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC, STATX_SIZE, &sx),
            EINVAL);
  CHECK_ERR(statx(AT_FDCWD, "f", 0x40000000, STATX_SIZE, &sx), EINVAL);
  CHECK_ERR(statx(AT_FDCWD, "f", 0, STATX__RESERVED, &sx), EINVAL);
  CHECK_ERR(statx(AT_FDCWD, "", 0, STATX_SIZE, &sx), ENOENT);
  CHECK_ERR(statx(-1, "f", 0, STATX_SIZE, &sx), EBADF);
  CHECK_ERR(statx(fd, "x", 0, STATX_SIZE, &sx), ENOTDIR);
  CHECK_ERR(syscall(SYS_statx, AT_FDCWD, "f", 0, STATX_SIZE, NULL), EFAULT);
  return 0;
}
