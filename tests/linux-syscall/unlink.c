// unlink(2): open files live on, kinds, trailing slashes, symlinks go themselves.
#include "check.h"

int main(void) {
  TempDir();
  WriteFile("f", "data");
  int fd = (int)CHECK_OK(open("f", O_RDWR));
  CHECK_OK(unlink("f"));
  CHECK_ERR(unlink("f"), ENOENT);
  char text[8];
  CHECK_EQ(read(fd, text, 8), 4);
  CHECK_EQ(write(fd, "more", 4), 4);
  CHECK_EQ(lseek(fd, 0, SEEK_END), 8);
  char path[64], target[PATH_MAX];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  ssize_t n = CHECK_OK(readlink(path, target, sizeof target - 1));
  target[n] = 0;
  CHECK_STR(target + n - 10, " (deleted)");
  // A new file of that name is another file.
  WriteFile("f", "new");
  CHECK_EQ(pread(fd, text, 4, 0), 4);
  CHECK_MEM(text, "data", 4);
  close(fd);

  CHECK_OK(symlink("f", "l"));
  CHECK_OK(unlink("l"));
  CHECK_OK(access("f", F_OK));
  CHECK_OK(symlink("missing", "l"));
  CHECK_OK(unlink("l"));
  CHECK_OK(mkdir("d", 0755));
  CHECK_ERR(unlink("d"), EISDIR);
  CHECK_ERR(unlink("d/"), EISDIR);
  CHECK_ERR(unlink("f/"), ENOTDIR);
  CHECK_ERR(unlink("missing/"), ENOENT);
  CHECK_ERR(unlink("."), EISDIR);
  CHECK_ERR(unlink(".."), EISDIR);
  CHECK_ERR(unlink("/"), EISDIR);
  CHECK_ERR(unlink(""), ENOENT);
  CHECK_ERR(unlink("f/x"), ENOTDIR);
  CHECK_OK(symlink("d", "dl"));
  CHECK_ERR(unlink("dl/"), ENOTDIR);
  CHECK_ERR(rmdir("dl"), ENOTDIR);
  CHECK_ERR(unlink("d/missing"), ENOENT);
  return 0;
}
