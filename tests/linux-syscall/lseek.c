// lseek(2): the three origins, limits, what cannot seek.
#include <sys/socket.h>

#include "check.h"

int main(void) {
  TempDir();
  WriteFile("f", "0123456789");
  int fd = (int)CHECK_OK(open("f", O_RDWR));
  CHECK_EQ(lseek(fd, 4, SEEK_SET), 4);
  CHECK_EQ(lseek(fd, 3, SEEK_CUR), 7);
  CHECK_EQ(lseek(fd, -7, SEEK_CUR), 0);
  CHECK_ERR(lseek(fd, -1, SEEK_CUR), EINVAL);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
  CHECK_EQ(lseek(fd, -2, SEEK_END), 8);
  CHECK_EQ(lseek(fd, 5, SEEK_END), 15);
  CHECK_ERR(lseek(fd, -11, SEEK_END), EINVAL);
  CHECK_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
  CHECK_ERR(lseek(fd, 0, 99), EINVAL);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 15);
  off_t far = (off_t)1 << 40;
  CHECK_EQ(lseek(fd, far, SEEK_SET), far);
  CHECK(lseek(fd, INT64_MAX, SEEK_CUR) == -1 && (errno == EINVAL || errno == EOVERFLOW));
  struct stat st;
  CHECK_OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 10);

  int ends[2];
  CHECK_OK(pipe(ends));
  CHECK_ERR(lseek(ends[0], 0, SEEK_CUR), ESPIPE);
  CHECK_ERR(lseek(ends[1], 0, SEEK_END), ESPIPE);
  CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  CHECK_ERR(lseek(ends[0], 0, SEEK_CUR), ESPIPE);
  CHECK_ERR(lseek(-1, 0, SEEK_CUR), EBADF);
  int null = (int)CHECK_OK(open("/dev/null", O_RDWR));
  CHECK_OK(lseek(null, 100, SEEK_SET));

  // A child moves its parent's offset: there is one description.
  CHECK_EQ(lseek(fd, 1, SEEK_SET), 1);
  IN_CHILD(CHECK_EQ(lseek(fd, 4, SEEK_CUR), 5));
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5);
  return 0;
}
