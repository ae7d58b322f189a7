// socketpair(2): the three types of AF_UNIX, flags, boundaries of messages, end of file, errors.
#include <sys/socket.h>

#include "check.h"

int main(void) {
  int s[2];
  char text[32];
  CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s));
  CHECK_EQ(fcntl(s[0], F_GETFD), FD_CLOEXEC);
  CHECK_EQ(fcntl(s[1], F_GETFL), O_RDWR | O_NONBLOCK);
  CHECK_ERR(read(s[0], text, 1), EAGAIN);
  CHECK_EQ(write(s[0], "ab", 2), 2);
  CHECK_EQ(write(s[0], "cd", 2), 2);
  CHECK_EQ(write(s[1], "back", 4), 4);
  CHECK_EQ(read(s[1], text, 3), 3);  // bytes, no boundaries
  CHECK_MEM(text, "abc", 3);
  CHECK_EQ(read(s[1], text, 32), 1);
  CHECK_EQ(read(s[0], text, 32), 4);
  close(s[1]);
  CHECK_EQ(read(s[0], text, 1), 0);
  IN_CHILD_KILLED_BY(SIGPIPE, (void)!write(s[0], "x", 1));
  CHECK_ERR(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
  close(s[0]);

  CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, s));
  CHECK_EQ(write(s[0], "one", 3), 3);
  CHECK_EQ(write(s[0], "", 0), 0);
  CHECK_EQ(write(s[0], "three", 5), 5);
  CHECK_EQ(read(s[1], text, 2), 2);  // the rest is lost
  CHECK_EQ(read(s[1], text, 32), 0);
  CHECK_EQ(read(s[1], text, 32), 5);
  CHECK_ERR(read(s[1], text, 32), EAGAIN);
  close(s[1]);
  CHECK_ERR(send(s[0], "x", 1, MSG_NOSIGNAL), ECONNREFUSED);
  close(s[0]);

  CHECK_OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s));
  CHECK_EQ(write(s[0], "one", 3), 3);
  CHECK_EQ(write(s[0], "second", 6), 6);
  CHECK_EQ(read(s[1], text, 2), 2);
  CHECK_EQ(read(s[1], text, 32), 6);
  CHECK_MEM(text, "second", 6);
  close(s[0]);
  CHECK_EQ(read(s[1], text, 32), 0);
  CHECK_ERR(send(s[1], "x", 1, MSG_NOSIGNAL), EPIPE);
  close(s[1]);

  // Data left behind unread: the other side learns it as ECONNRESET, after what it can still read.
  CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  CHECK_EQ(write(s[0], "unread", 6), 6);
  CHECK_EQ(write(s[1], "q", 1), 1);
  close(s[1]);
  CHECK_EQ(read(s[0], text, 1), 1);
  CHECK_ERR(read(s[0], text, 1), ECONNRESET);
  CHECK_EQ(read(s[0], text, 1), 0);
  close(s[0]);

  CHECK_ERR(socketpair(AF_UNIX, 77, 0, s), EINVAL);
  CHECK_ERR(socketpair(AF_UNIX, SOCK_STREAM, 5, s), EPROTONOSUPPORT);
  CHECK_ERR(socketpair(12345, SOCK_STREAM, 0, s), EAFNOSUPPORT);
  CHECK_ERR(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, NULL), EFAULT);
  CHECK_ERR(socket(AF_UNIX, SOCK_RDM, 0), ESOCKTNOSUPPORT);
  CHECK_ERR(socket(AF_UNIX, SOCK_STREAM | 0x100, 0), EINVAL);
  CHECK_ERR(socket(12345, SOCK_STREAM, 0), EAFNOSUPPORT);
  return 0;
}
