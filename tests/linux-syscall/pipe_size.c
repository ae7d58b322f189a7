// F_GETPIPE_SZ, F_SETPIPE_SZ: rounding, growing with data inside, shrinking below it.
#include "check.h"

int main(void) {
  int ends[2];
  CHECK_OK(pipe2(ends, O_NONBLOCK));
  long page = (long)PageSize();
  CHECK_EQ(fcntl(ends[0], F_GETPIPE_SZ), 16 * page);
  CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 1), page);
  CHECK_EQ(fcntl(ends[0], F_GETPIPE_SZ), page);
  static char data[1 << 18];
  for (size_t i = 0; i < sizeof data; i++) data[i] = (char)(i % 127);
  CHECK_EQ(write(ends[1], data, sizeof data), page);
  CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 2 * page + 1), 4 * page);  // a power of two of pages
  CHECK_EQ(write(ends[1], data + page, sizeof data - (size_t)page), 3 * page);
  CHECK_ERR(fcntl(ends[1], F_SETPIPE_SZ, page), EBUSY);
  static char back[1 << 18];
  CHECK_EQ(read(ends[0], back, sizeof back), 4 * page);
  CHECK_MEM(back, data, (size_t)(4 * page));
  CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, page), page);
  CHECK_ERR(fcntl(ends[1], F_SETPIPE_SZ, 0x80000001u), EINVAL);
  int null = (int)CHECK_OK(open("/dev/null", O_RDWR));
  CHECK_ERR(fcntl(null, F_SETPIPE_SZ, page), EBADF);
  CHECK_ERR(fcntl(null, F_GETPIPE_SZ), EBADF);
  IN_CHILD({
    BecomeNobody();
    CHECK_ERR(fcntl(ends[1], F_SETPIPE_SZ, 1 << 30), EPERM);  // above /proc/sys/fs/pipe-max-size
  });
  return 0;
}
