// stat(2), lstat(2), fstat(2): every field that has one right answer.
#include <sys/sysmacros.h>

#include "check.h"

int main(void) {
  umask(0);
  TempDir();
  struct stat st, other;
  WriteFile("f", "12345");
  CHECK_OK(stat("f", &st));
  CHECK_EQ(st.st_mode, S_IFREG | 0644);
  CHECK_EQ(st.st_nlink, 1);
  CHECK_EQ(st.st_size, 5);
  CHECK_EQ(st.st_uid, geteuid());
  CHECK_EQ(st.st_gid, getegid());
  CHECK(st.st_ino != 0);
  CHECK(st.st_blksize >= 512);
  CHECK_EQ(st.st_rdev, 0);
  CHECK_OK(link("f", "g"));
  CHECK_OK(stat("g", &other));
  CHECK_EQ(other.st_ino, st.st_ino);
  CHECK_EQ(other.st_dev, st.st_dev);
  CHECK_EQ(other.st_nlink, 2);

  CHECK_OK(symlink("f", "link"));
  CHECK_OK(lstat("link", &other));
  CHECK_EQ(other.st_mode, S_IFLNK | 0777);
  CHECK_EQ(other.st_size, 1);
  CHECK(other.st_ino != st.st_ino);
  CHECK_OK(stat("link", &other));
  CHECK_EQ(other.st_ino, st.st_ino);
  CHECK_OK(symlink("nowhere", "dangling"));
  CHECK_ERR(stat("dangling", &other), ENOENT);
  CHECK_OK(lstat("dangling", &other));

  CHECK_OK(mkdir("d", 0751));
  CHECK_OK(stat("d", &other));
  CHECK_EQ(other.st_mode, S_IFDIR | 0751);
  CHECK_OK(mkfifo("fifo", 0600));
  CHECK_OK(stat("fifo", &other));
  CHECK_EQ(other.st_mode, S_IFIFO | 0600);
  CHECK_EQ(other.st_size, 0);
  CHECK_OK(stat("/dev/null", &other));
  CHECK(S_ISCHR(other.st_mode));
  CHECK_EQ(other.st_rdev, makedev(1, 3));

  int fd = (int)CHECK_OK(open("f", O_RDWR));
  CHECK_OK(unlink("f"));
  CHECK_OK(unlink("g"));
  CHECK_OK(fstat(fd, &other));
  CHECK_EQ(other.st_nlink, 0);
  CHECK_EQ(other.st_ino, st.st_ino);
  CHECK_EQ(pwrite(fd, "x", 1, 9999), 1);
  CHECK_OK(fstat(fd, &other));
  CHECK_EQ(other.st_size, 10000);
  CHECK(other.st_blocks > 0);

  int ends[2];
  CHECK_OK(pipe(ends));
  CHECK_OK(fstat(ends[0], &st));
  CHECK_OK(fstat(ends[1], &other));
  CHECK(S_ISFIFO(st.st_mode));
  CHECK_EQ(st.st_ino, other.st_ino);

  CHECK_ERR(stat("", &st), ENOENT);
  CHECK_ERR(stat("missing", &st), ENOENT);
  CHECK_ERR(stat("d/missing/x", &st), ENOENT);
  CHECK_ERR(stat("link/x", &st), ENOENT);  // f is gone
  CHECK_ERR(stat("fifo/x", &st), ENOTDIR);
  CHECK_ERR(fstat(-1, &st), EBADF);
  CHECK_ERR(fstatat(AT_FDCWD, "d", &st, 0x8000000), EINVAL);
  return 0;
}
