// ioctl(2) that most descriptors know: FIONREAD, FIONBIO, FIOCLEX, and ENOTTY for the rest.
#include <sys/ioctl.h>
#include <termios.h>

#include "check.h"

int main(void) {
  TempDir();
  WriteFile("f", "0123456789");
  int fd = (int)CHECK_OK(open("f", O_RDWR)), value, ends[2];
  CHECK_OK(ioctl(fd, FIONREAD, &value));
  CHECK_EQ(value, 10);
  CHECK_OK(lseek(fd, 4, SEEK_SET));
  CHECK_OK(ioctl(fd, FIONREAD, &value));
  CHECK_EQ(value, 6);
  CHECK_OK(pipe(ends));
  CHECK_EQ(write(ends[1], "abc", 3), 3);
  CHECK_OK(ioctl(ends[0], FIONREAD, &value));
  CHECK_EQ(value, 3);
  value = 1;
  CHECK_OK(ioctl(ends[0], FIONBIO, &value));
  CHECK(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
  value = 0;
  CHECK_OK(ioctl(ends[0], FIONBIO, &value));
  CHECK_EQ(fcntl(ends[0], F_GETFL), O_RDONLY);
  CHECK_OK(ioctl(fd, FIOCLEX));
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  CHECK_OK(ioctl(fd, FIONCLEX));
  CHECK_EQ(fcntl(fd, F_GETFD), 0);
  struct termios termios;
  struct winsize size;
  CHECK_ERR(tcgetattr(fd, &termios), ENOTTY);
  CHECK_ERR(ioctl(ends[0], TIOCGWINSZ, &size), ENOTTY);
  CHECK_ERR(ioctl(fd, 0x12345678, &value), ENOTTY);
  CHECK(!isatty(fd) && errno == ENOTTY);
  CHECK_ERR(ioctl(-1, FIONREAD, &value), EBADF);
  CHECK_ERR(ioctl(ends[0], FIONREAD, NULL), EFAULT);
  int path = (int)CHECK_OK(open("f", O_PATH));
  CHECK_ERR(ioctl(path, FIONREAD, &value), EBADF);
  return 0;
}
