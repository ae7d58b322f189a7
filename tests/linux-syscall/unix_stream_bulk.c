// Large transfers both ways at once over a stream: non-blocking partial writes, nothing lost or
// reordered.
#include <poll.h>
#include <sys/socket.h>

#include "check.h"

enum { kTotal = 1 << 20 };

static unsigned char Pattern(size_t at, unsigned salt) {
  return (unsigned char)((at * 31 + salt) % 253);
}

static void Exchange(int fd, unsigned mine, unsigned theirs) {
  CHECK_OK(fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK));
  static unsigned char out[30000], in[7001];
  size_t sent = 0, received = 0;
  while (sent < kTotal || received < kTotal) {
    struct pollfd one = {fd, POLLIN, 0};
    if (sent < kTotal) one.events |= POLLOUT;
    CHECK_EQ(poll(&one, 1, 10000), 1);
    if (one.revents & POLLOUT) {
      size_t n = kTotal - sent < sizeof out ? kTotal - sent : sizeof out;
      for (size_t i = 0; i < n; i++) out[i] = Pattern(sent + i, mine);
      ssize_t done = write(fd, out, n);
      if (done == -1)
        CHECK_EQ(errno, EAGAIN);
      else
        sent += (size_t)done;
    }
    if (one.revents & POLLIN) {
      ssize_t n = CHECK_OK(read(fd, in, sizeof in));
      CHECK(n > 0);
      for (ssize_t i = 0; i < n; i++) CHECK(in[i] == Pattern(received + (size_t)i, theirs));
      received += (size_t)n;
    }
  }
}

int main(void) {
  int s[2];
  CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  pid_t pid = Fork();
  if (pid == 0) {
    close(s[0]);
    Exchange(s[1], 7, 90);
    _exit(0);
  }
  close(s[1]);
  Exchange(s[0], 90, 7);
  WAIT_EXIT(pid, 0);
  char c;
  CHECK_EQ(read(s[0], &c, 1), 0);
  return 0;
}
