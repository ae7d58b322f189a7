// shutdown(2): each half, what peers see, waking a sleeper, errors.
#include <poll.h>
#include <sys/socket.h>

#include "check.h"

static short Poll(int fd) {
  struct pollfd one = {fd, POLLIN | POLLOUT | POLLRDHUP, 0};
  CHECK_OK(poll(&one, 1, 0));
  return one.revents;
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  int s[2];
  char text[8];
  CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  CHECK_EQ(write(s[0], "last", 4), 4);
  CHECK_OK(shutdown(s[0], SHUT_WR));
  CHECK_ERR(write(s[0], "x", 1), EPIPE);
  CHECK_EQ(read(s[1], text, 8), 4);
  CHECK_EQ(read(s[1], text, 8), 0);
  CHECK_EQ(Poll(s[1]), POLLIN | POLLOUT | POLLRDHUP);
  CHECK_EQ(write(s[1], "back", 4), 4);  // the other half lives
  CHECK_EQ(read(s[0], text, 8), 4);
  CHECK_OK(shutdown(s[1], SHUT_WR));
  CHECK_EQ(Poll(s[0]), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
  close(s[0]);
  close(s[1]);

  CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  CHECK_EQ(write(s[1], "kept", 4), 4);
  CHECK_OK(shutdown(s[0], SHUT_RD));
  CHECK_ERR(write(s[1], "x", 1), EPIPE);
  CHECK_EQ(read(s[0], text, 8), 4);
  CHECK_EQ(read(s[0], text, 8), 0);
  CHECK_EQ(write(s[0], "y", 1), 1);
  CHECK_OK(shutdown(s[0], SHUT_RDWR));
  CHECK_OK(shutdown(s[0], SHUT_RDWR));
  CHECK_EQ(read(s[1], text, 8), 1);
  close(s[0]);
  close(s[1]);

  // One that sleeps in read is woken.
  CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  pid_t pid = Fork();
  if (pid == 0) {
    CHECK_EQ(read(s[0], text, 8), 0);
    _exit(0);
  }
  LetBlock(pid);
  CHECK_OK(shutdown(s[0], SHUT_RD));
  WAIT_EXIT(pid, 0);

  CHECK_ERR(shutdown(s[0], 7), EINVAL);
  CHECK_ERR(shutdown(0, SHUT_RD), ENOTSOCK);
  CHECK_ERR(shutdown(-1, SHUT_RD), EBADF);
  int lonely = (int)CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
  CHECK_ERR(recv(lonely, text, 1, 0), EINVAL);
  return 0;
}
