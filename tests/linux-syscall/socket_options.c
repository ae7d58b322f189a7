// getsockopt(2), setsockopt(2) at SOL_SOCKET for AF_UNIX: values, lengths, timeouts, errors.
#include <sys/socket.h>
#include <sys/time.h>

#include "check.h"

static int Get(int fd, int option) {
  int value = -1;
  socklen_t length = sizeof value;
  CHECK_OK(getsockopt(fd, SOL_SOCKET, option, &value, &length));
  CHECK_EQ(length, sizeof value);
  return value;
}

int main(void) {
  int s[2];
  CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  CHECK_EQ(Get(s[0], SO_TYPE), SOCK_STREAM);
  CHECK_EQ(Get(s[0], SO_DOMAIN), AF_UNIX);
  CHECK_EQ(Get(s[0], SO_PROTOCOL), 0);
  CHECK_EQ(Get(s[0], SO_ERROR), 0);
  CHECK_EQ(Get(s[0], SO_ACCEPTCONN), 0);
  CHECK_EQ(Get(s[0], SO_REUSEADDR), 0);
  int value = 5;
  CHECK_OK(setsockopt(s[0], SOL_SOCKET, SO_REUSEADDR, &value, sizeof value));
  CHECK_EQ(Get(s[0], SO_REUSEADDR), 1);
  CHECK_OK(setsockopt(s[0], SOL_SOCKET, SO_PASSCRED, &value, sizeof value));
  CHECK_EQ(Get(s[0], SO_PASSCRED), 1);
  value = 30000;
  CHECK_OK(setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &value, sizeof value));
  CHECK_EQ(Get(s[0], SO_SNDBUF), 60000);  // doubled (socket(7))
  CHECK_OK(setsockopt(s[0], SOL_SOCKET, SO_RCVBUF, &value, sizeof value));
  CHECK_EQ(Get(s[0], SO_RCVBUF), 60000);
  value = 1;
  CHECK_OK(setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &value, sizeof value));
  CHECK(Get(s[0], SO_SNDBUF) > 1000);  // there is a least size
  CHECK_OK(setsockopt(s[0], SOL_SOCKET, SO_KEEPALIVE, &value, sizeof value));

  // Timeouts.
  struct timeval timeout = {0, 20000}, got;
  socklen_t length = sizeof got;
  CHECK_OK(setsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout));
  CHECK_OK(getsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &got, &length));
  CHECK_EQ(got.tv_sec, 0);
  CHECK(got.tv_usec >= 20000 && got.tv_usec < 40000);  // rounded up to ticks
  char c;
  int64_t start = NowMs();
  CHECK_ERR(read(s[1], &c, 1), EAGAIN);
  CHECK(NowMs() - start >= 19);
  CHECK_OK(setsockopt(s[0], SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout));
  static char data[1 << 20];
  ssize_t n = write(s[0], data, sizeof data);
  CHECK(n > 0 && n < (ssize_t)sizeof data);
  CHECK_ERR(write(s[0], data, sizeof data), EAGAIN);
  timeout.tv_usec = 1000000;
  CHECK_ERR(setsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout), EDOM);

  // A negative time is none at all: nothing waits.
  timeout = (struct timeval){-1, 0};
  CHECK_OK(setsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout));
  CHECK_OK(getsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &got, &length));
  CHECK_EQ(got.tv_sec, 0);
  CHECK_EQ(got.tv_usec, 0);
  while (read(s[1], data, sizeof data) > 0) continue;
  CHECK_EQ(errno, EAGAIN);
  CHECK_ERR(recv(s[1], data, 1, 0), EAGAIN);
  CHECK_OK(setsockopt(s[1], SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout));
  CHECK(write(s[1], data, sizeof data) > 0);
  CHECK_ERR(write(s[1], data, sizeof data), EAGAIN);
  static const int kFlags[] = {SO_BROADCAST, SO_KEEPALIVE, SO_NO_CHECK, SO_OOBINLINE, SO_RXQ_OVFL};
  for (size_t i = 0; i < sizeof kFlags / sizeof *kFlags; i++) {
    value = 7;
    CHECK_OK(setsockopt(s[0], SOL_SOCKET, kFlags[i], &value, sizeof value));
    CHECK_EQ(Get(s[0], kFlags[i]), 1);
  }

  struct linger linger = {1, 3};
  CHECK_OK(setsockopt(s[0], SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
  length = sizeof linger;
  linger.l_linger = 0;
  CHECK_OK(getsockopt(s[0], SOL_SOCKET, SO_LINGER, &linger, &length));
  CHECK_EQ(linger.l_linger, 3);

  // Short buffers get as much as fits.
  unsigned char small[4] = {9, 9, 9, 9};
  length = 1;
  CHECK_OK(getsockopt(s[0], SOL_SOCKET, SO_TYPE, small, &length));
  CHECK_EQ(length, 1);
  CHECK_EQ(small[0], SOCK_STREAM);
  CHECK_EQ(small[1], 9);
  CHECK_ERR(setsockopt(s[0], SOL_SOCKET, SO_REUSEADDR, &value, 3), EINVAL);
  CHECK_ERR(setsockopt(s[0], SOL_SOCKET, SO_TYPE, &value, 4), ENOPROTOOPT);
  CHECK_ERR(setsockopt(s[0], SOL_SOCKET, 9999, &value, 4), ENOPROTOOPT);
  CHECK_ERR(getsockopt(s[0], SOL_SOCKET, 9999, &value, &length), ENOPROTOOPT);
  CHECK_ERR(getsockopt(s[0], 9999, 1, &value, &length), EOPNOTSUPP);
  CHECK_ERR(setsockopt(s[0], SOL_SOCKET, SO_REUSEADDR, NULL, 4), EFAULT);
  CHECK_ERR(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &value, NULL), EFAULT);
  CHECK_ERR(getsockopt(0, SOL_SOCKET, SO_TYPE, &value, &length), ENOTSOCK);
  CHECK_ERR(getsockopt(-1, SOL_SOCKET, SO_TYPE, &value, &length), EBADF);
  return 0;
}
