// dup(2), dup2(2), dup3(2), F_DUPFD: shared offset and status flags, own close-on-exec flag,
// errors.
#include "check.h"

int main(void) {
  TempDir();
  WriteFile("f", "abcdef");
  int fd = (int)CHECK_OK(open("f", O_RDWR | O_CLOEXEC));
  int copy = (int)CHECK_OK(dup(fd));
  CHECK(copy != fd);
  CHECK_EQ(fcntl(copy, F_GETFD), 0);
  char c;
  CHECK_EQ(read(fd, &c, 1), 1);
  CHECK_EQ(read(copy, &c, 1), 1);
  CHECK_EQ(c, 'b');
  CHECK_OK(fcntl(copy, F_SETFL, O_APPEND | O_NONBLOCK));
  CHECK(fcntl(fd, F_GETFL) & O_APPEND);
  int other = (int)CHECK_OK(open("f", O_RDONLY));
  CHECK_EQ(read(other, &c, 1), 1);
  CHECK_EQ(c, 'a');

  // dup2: replaces silently, does nothing for equal numbers.
  CHECK_EQ(dup2(fd, other), other);
  CHECK_EQ(read(other, &c, 1), 1);
  CHECK_EQ(c, 'c');
  CHECK_EQ(dup2(fd, fd), fd);
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);  // untouched
  CHECK_EQ(dup2(fd, 50), 50);
  CHECK_EQ(fcntl(50, F_GETFD), 0);
  CHECK_ERR(dup2(999, 50), EBADF);
  CHECK_EQ(fcntl(50, F_GETFD), 0);  // a failed dup2 closes nothing
  CHECK_ERR(dup2(999, 999), EBADF);
  CHECK_ERR(dup2(fd, -1), EBADF);
  CHECK_ERR(dup2(fd, INT_MAX), EBADF);

  CHECK_EQ(dup3(fd, 51, O_CLOEXEC), 51);
  CHECK_EQ(fcntl(51, F_GETFD), FD_CLOEXEC);
  CHECK_ERR(dup3(fd, fd, 0), EINVAL);
  CHECK_ERR(dup3(999, 999, 0), EINVAL);
  CHECK_ERR(dup3(fd, 52, O_NONBLOCK), EINVAL);
  CHECK_ERR(dup3(999, 52, 0), EBADF);
  CHECK_ERR(dup(-1), EBADF);

  CHECK_EQ(fcntl(fd, F_DUPFD, 60), 60);
  CHECK_EQ(fcntl(fd, F_DUPFD, 60), 61);
  CHECK_EQ(fcntl(fd, F_DUPFD_CLOEXEC, 60), 62);
  CHECK_EQ(fcntl(61, F_GETFD), 0);
  CHECK_EQ(fcntl(62, F_GETFD), FD_CLOEXEC);
  CHECK_ERR(fcntl(fd, F_DUPFD, -1), EINVAL);
  CHECK_ERR(fcntl(999, F_DUPFD, 0), EBADF);

  // dup2 over a pipe's only writer gives the reader its end of file.
  int ends[2];
  CHECK_OK(pipe(ends));
  CHECK_EQ(dup2(fd, ends[1]), ends[1]);
  CHECK_EQ(read(ends[0], &c, 1), 0);
  return 0;
}
