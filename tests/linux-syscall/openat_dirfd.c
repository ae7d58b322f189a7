// openat(2) and its relatives: relative to a directory descriptor, to the working directory, or
// absolute.
#include "check.h"

int main(void) {
  const char* home = TempDir();
  CHECK_OK(mkdir("d", 0755));
  WriteFile("d/f", "in d");
  WriteFile("f", "here");
  int dir = (int)CHECK_OK(open("d", O_RDONLY | O_DIRECTORY));
  int path_dir = (int)CHECK_OK(open("d", O_PATH));
  int file = (int)CHECK_OK(open("f", O_RDONLY));
  char text[8] = {0};

  int fd = (int)CHECK_OK(openat(dir, "f", O_RDONLY));
  CHECK_EQ(read(fd, text, 7), 4);
  CHECK_STR(text, "in d");
  close(fd);
  fd = (int)CHECK_OK(openat(path_dir, "../f", O_RDONLY));
  CHECK_EQ(read(fd, text, 7), 4);
  CHECK_STR(text, "here");
  close(fd);
  close((int)CHECK_OK(openat(AT_FDCWD, "d/f", O_RDONLY)));

  // A descriptor is looked at only for relative names.
  char absolute[PATH_MAX];
  snprintf(absolute, sizeof absolute, "%s/d/f", home);
  close((int)CHECK_OK(openat(-1, absolute, O_RDONLY)));
  close((int)CHECK_OK(openat(file, absolute, O_RDONLY)));
  CHECK_ERR(openat(-1, "f", O_RDONLY), EBADF);
  CHECK_ERR(openat(12345, "f", O_RDONLY), EBADF);
  CHECK_ERR(openat(file, "f", O_RDONLY), ENOTDIR);
  CHECK_ERR(openat(file, "", O_RDONLY), ENOENT);

  // Made, renamed, linked and removed relative to descriptors.
  CHECK_OK(mkdirat(dir, "sub", 0700));
  CHECK_OK(symlinkat("f", dir, "link"));
  CHECK_EQ(readlinkat(dir, "link", text, sizeof text), 1);
  CHECK_OK(linkat(dir, "f", AT_FDCWD, "hard", 0));
  CHECK_OK(renameat(AT_FDCWD, "hard", dir, "moved"));
  CHECK_OK(faccessat(dir, "moved", R_OK, 0));
  CHECK_OK(unlinkat(dir, "moved", 0));
  CHECK_OK(unlinkat(dir, "link", 0));
  CHECK_ERR(unlinkat(dir, "sub", 0), EISDIR);
  CHECK_ERR(unlinkat(dir, "f", AT_REMOVEDIR), ENOTDIR);
  CHECK_OK(unlinkat(dir, "sub", AT_REMOVEDIR));
  CHECK_ERR(unlinkat(dir, "f", 0x40000000), EINVAL);
  CHECK_ERR(mkdirat(file, "x", 0700), ENOTDIR);

  // The directory may move, or vanish, under the descriptor.
  CHECK_OK(rename("d", "e"));
  close((int)CHECK_OK(openat(dir, "f", O_RDONLY)));
  CHECK_OK(unlink("e/f"));
  CHECK_OK(rmdir("e"));
  CHECK_ERR(openat(dir, "f", O_RDONLY | O_CREAT, 0600), ENOENT);
  CHECK_ERR(mkdirat(dir, "x", 0700), ENOENT);
  return 0;
}
