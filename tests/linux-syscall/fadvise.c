// posix_fadvise(2), readahead(2): hints change nothing but are checked.
#include "check.h"

static int Advise(int fd, off_t offset, off_t length, int advice) {
  int error = posix_fadvise(fd, offset, length, advice);
  errno = error;
  return error ? -1 : 0;
}

int main(void) {
  TempDir();
  WriteFile("f", "0123456789");
  int fd = (int)CHECK_OK(open("f", O_RDWR));
  static const int kAdvice[] = {POSIX_FADV_NORMAL,   POSIX_FADV_SEQUENTIAL, POSIX_FADV_RANDOM,
                                POSIX_FADV_WILLNEED, POSIX_FADV_DONTNEED,   POSIX_FADV_NOREUSE};
  for (int i = 0; i < 6; i++) CHECK_OK(Advise(fd, 0, 0, kAdvice[i]));
  CHECK_EQ(pwrite(fd, "X", 1, 0), 1);
  CHECK_OK(Advise(fd, 0, 10, POSIX_FADV_DONTNEED));
  char c;
  CHECK_EQ(pread(fd, &c, 1, 0), 1);
  CHECK_EQ(c, 'X');
  CHECK_ERR(Advise(fd, 0, 0, 99), EINVAL);
  CHECK_ERR(Advise(fd, 0, -1, POSIX_FADV_NORMAL), EINVAL);
  CHECK_ERR(Advise(-1, 0, 0, POSIX_FADV_NORMAL), EBADF);
  int ends[2];
  CHECK_OK(pipe(ends));
  CHECK_ERR(Advise(ends[0], 0, 0, POSIX_FADV_NORMAL), ESPIPE);
  CHECK_OK(readahead(fd, 0, 4096));
  CHECK_ERR(readahead(-1, 0, 4096), EBADF);
  CHECK_ERR(readahead(ends[0], 0, 4096), EINVAL);
  int writer = (int)CHECK_OK(open("f", O_WRONLY));
  CHECK_ERR(readahead(writer, 0, 4096), EBADF);
  return 0;
}
