// pread(2), pwrite(2): the offset stays; negative offsets, pipes, O_APPEND.
#include "check.h"

int main(void) {
  TempDir();
  int fd = (int)CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
  CHECK_EQ(pwrite(fd, "world", 5, 6), 5);
  CHECK_EQ(pwrite(fd, "hello ", 6, 0), 6);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
  char text[16] = {0};
  CHECK_EQ(pread(fd, text, sizeof text, 0), 11);
  CHECK_STR(text, "hello world");
  CHECK_EQ(pread(fd, text, 3, 9), 2);
  CHECK_EQ(pread(fd, text, 3, 11), 0);
  CHECK_EQ(pread(fd, text, 3, 1000000), 0);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
  CHECK_ERR(pread(fd, text, 1, -1), EINVAL);
  CHECK_ERR(pwrite(fd, text, 1, -1), EINVAL);
  CHECK_ERR(pread(fd, text, 1, INT64_MIN), EINVAL);
  CHECK_ERR(pread(-1, text, 1, 0), EBADF);

  // O_APPEND outranks pwrite's offset (pwrite(2), BUGS).
  int append = (int)CHECK_OK(open("f", O_WRONLY | O_APPEND));
  CHECK_EQ(pwrite(append, "!", 1, 0), 1);
  CHECK_EQ(pread(fd, text, sizeof text, 0), 12);
  CHECK_MEM(text, "hello world!", 12);
  CHECK_ERR(pread(append, text, 1, 0), EBADF);

  int ends[2];
  CHECK_OK(pipe(ends));
  CHECK_ERR(pread(ends[0], text, 1, 0), ESPIPE);
  CHECK_ERR(pwrite(ends[1], text, 1, 0), ESPIPE);
  int dir = (int)CHECK_OK(open(".", O_RDONLY));
  CHECK_ERR(pread(dir, text, 1, 0), EISDIR);
  return 0;
}
