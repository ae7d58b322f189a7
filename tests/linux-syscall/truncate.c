// truncate(2), ftruncate(2): shrink, grow with zeroes, what is cut does not come back, errors.
#include "check.h"

int main(void) {
  TempDir();
  WriteFile("f", "0123456789");
  CHECK_OK(truncate("f", 4));
  struct stat st;
  CHECK_OK(stat("f", &st));
  CHECK_EQ(st.st_size, 4);
  int fd = (int)CHECK_OK(open("f", O_RDWR));
  CHECK_OK(ftruncate(fd, 8));
  char text[16];
  CHECK_EQ(read(fd, text, 16), 8);
  CHECK_MEM(text, "0123\0\0\0\0", 8);
  CHECK_OK(ftruncate(fd, 2));
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 8);  // the offset stays where it was
  CHECK_EQ(read(fd, text, 16), 0);
  CHECK_EQ(write(fd, "z", 1), 1);
  CHECK_EQ(pread(fd, text, 16, 0), 9);
  CHECK_MEM(text, "01\0\0\0\0\0\0z", 9);

  // Large and odd sizes; whole pages between are dropped.
  CHECK_OK(ftruncate(fd, 1234567));
  CHECK_EQ(pwrite(fd, "end", 3, 1234564), 3);
  CHECK_OK(ftruncate(fd, 5000));
  CHECK_OK(ftruncate(fd, 1234567));
  CHECK_EQ(pread(fd, text, 3, 1234564), 3);
  CHECK_MEM(text, "\0\0\0", 3);

  CHECK_ERR(ftruncate(fd, -1), EINVAL);
  CHECK_ERR(truncate("f", -1), EINVAL);
  CHECK_ERR(truncate("missing", 0), ENOENT);
  CHECK_ERR(truncate(".", 0), EISDIR);
  CHECK_ERR(truncate("f/x", 0), ENOTDIR);
  CHECK_ERR(ftruncate(-1, 0), EBADF);
  int reader = (int)CHECK_OK(open("f", O_RDONLY));
  CHECK_ERR(ftruncate(reader, 0), EINVAL);
  int ends[2];
  CHECK_OK(pipe(ends));
  CHECK_ERR(ftruncate(ends[1], 0), EINVAL);
  CHECK_OK(chmod("f", 0400));
  CHECK_OK(ftruncate(fd, 1));  // opened for writing earlier
  if (!IsRoot()) CHECK_ERR(truncate("f", 0), EACCES);
  CHECK_OK(symlink("f", "link"));
  CHECK_OK(chmod("f", 0600));
  CHECK_OK(truncate("link", 77));
  CHECK_OK(stat("f", &st));
  CHECK_EQ(st.st_size, 77);
  return 0;
}
