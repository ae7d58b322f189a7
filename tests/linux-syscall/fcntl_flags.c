// fcntl(2): F_GETFD, F_SETFD, F_GETFL, F_SETFL, what cannot be changed, unknown commands.
#include "check.h"

#ifndef O_LARGEFILE
#define O_LARGEFILE 0
#endif
enum { kLarge = 0100000 };  // shown by the kernel whatever the C library calls it

int main(void) {
  TempDir();
  int fd = (int)CHECK_OK(open("f", O_RDWR | O_CREAT | O_TRUNC | O_EXCL | O_NOCTTY, 0600));
  CHECK_EQ(fcntl(fd, F_GETFD), 0);
  CHECK_OK(fcntl(fd, F_SETFD, FD_CLOEXEC));
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  CHECK_OK(fcntl(fd, F_SETFD, 0xff00));  // only the one bit counts
  CHECK_EQ(fcntl(fd, F_GETFD), 0);
  // Flags of creation are not kept.
  CHECK_EQ(fcntl(fd, F_GETFL) & ~kLarge, O_RDWR);
  CHECK_OK(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK | O_NOATIME));
  CHECK_EQ(fcntl(fd, F_GETFL) & ~kLarge, O_RDWR | O_APPEND | O_NONBLOCK | O_NOATIME);
  CHECK_OK(fcntl(fd, F_SETFL, O_WRONLY | O_TRUNC | O_CREAT | O_SYNC));  // the rest is ignored
  CHECK_EQ(fcntl(fd, F_GETFL) & ~kLarge, O_RDWR);
  CHECK_EQ(write(fd, "abc", 3), 3);
  CHECK_OK(fcntl(fd, F_SETFL, O_APPEND));
  CHECK_OK(lseek(fd, 0, SEEK_SET));
  CHECK_EQ(write(fd, "d", 1), 1);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4);

  int directory = (int)CHECK_OK(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  CHECK_EQ(fcntl(directory, F_GETFL) & ~kLarge, O_RDONLY | O_DIRECTORY);
  CHECK_EQ(fcntl(directory, F_GETFD), FD_CLOEXEC);

  int ends[2];
  CHECK_OK(pipe2(ends, O_NONBLOCK | O_CLOEXEC));
  CHECK_EQ(fcntl(ends[0], F_GETFL), O_RDONLY | O_NONBLOCK);
  CHECK_EQ(fcntl(ends[1], F_GETFL), O_WRONLY | O_NONBLOCK);
  CHECK_OK(fcntl(ends[0], F_SETFL, 0));
  CHECK_EQ(fcntl(ends[1], F_GETFL), O_WRONLY | O_NONBLOCK);  // each end has its own

  CHECK_ERR(fcntl(fd, 9999, 0), EINVAL);
  CHECK_ERR(fcntl(-1, F_GETFD), EBADF);
  CHECK_ERR(fcntl(-1, 9999, 0), EBADF);
  int path = (int)CHECK_OK(open("f", O_PATH));
  CHECK_ERR(fcntl(path, F_SETFL, O_APPEND), EBADF);
  CHECK_OK(fcntl(path, F_GETFD));
  CHECK_EQ(fcntl(fd, F_GETOWN), 0);
  CHECK_OK(fcntl(ends[0], F_SETOWN, getpid()));
  CHECK_EQ(fcntl(ends[0], F_GETOWN), getpid());
  return 0;
}
