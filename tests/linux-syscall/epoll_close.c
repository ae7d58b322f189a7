// epoll and closing: an entry lives as long as the open file, not the number.
#include <sys/epoll.h>
#include <sys/socket.h>

#include "check.h"

static int Wait(int ep, uint64_t* data) {
  struct epoll_event event = {0};
  int n = (int)CHECK_OK(epoll_wait(ep, &event, 1, 0));
  *data = event.data.u64;
  return n;
}

int main(void) {
  int ep = (int)CHECK_OK(epoll_create1(0));
  int ends[2];
  uint64_t data;
  CHECK_OK(pipe(ends));
  CHECK_EQ(write(ends[1], "x", 1), 1);
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = 1};
  CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &event));
  int copy = (int)CHECK_OK(dup(ends[0]));
  event.data.u64 = 2;
  CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, copy, &event));  // (number, open file) is the key
  CHECK_OK(epoll_ctl(ep, EPOLL_CTL_DEL, copy, NULL));

  // The number is gone, the open file is not: still reported, and no longer reachable by the
  // number.
  close(ends[0]);
  CHECK_EQ(Wait(ep, &data), 1);
  CHECK_EQ(data, 1);
  CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_DEL, ends[0], NULL), EBADF);
  // The number used anew is another entry.
  int null = (int)CHECK_OK(open("/dev/null", O_RDONLY));
  CHECK_EQ(null, ends[0]);
  CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_MOD, null, &event), EPERM);
  close(null);
  int other[2];
  CHECK_OK(pipe(other));
  CHECK_EQ(other[0], ends[0]);
  CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_MOD, other[0], &event), ENOENT);
  event.data.u64 = 3;
  CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, other[0], &event));
  // The last descriptor goes: so does the entry.
  close(copy);
  CHECK_EQ(Wait(ep, &data), 0);
  CHECK_EQ(write(other[1], "x", 1), 1);
  CHECK_EQ(Wait(ep, &data), 1);
  CHECK_EQ(data, 3);

  // A child holds a copy, too.
  int go[2];
  CHECK_OK(pipe(go));
  pid_t pid = Fork();
  if (pid == 0) {
    close(go[1]);
    char c;
    CHECK_EQ(read(go[0], &c, 1), 0);
    _exit(0);
  }
  close(other[0]);
  CHECK_EQ(Wait(ep, &data), 1);
  close(go[1]);
  WAIT_EXIT(pid, 0);
  CHECK_EQ(Wait(ep, &data), 0);

  // EPOLLRDHUP and hang-ups of sockets.
  CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  event.events = EPOLLIN | EPOLLRDHUP;
  CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &event));
  CHECK_EQ(Wait(ep, &data), 0);
  CHECK_OK(shutdown(ends[1], SHUT_WR));
  struct epoll_event got;
  CHECK_EQ(epoll_wait(ep, &got, 1, -1), 1);
  CHECK_EQ(got.events, EPOLLIN | EPOLLRDHUP);
  close(ends[1]);
  CHECK_EQ(epoll_wait(ep, &got, 1, -1), 1);
  CHECK_EQ(got.events, EPOLLIN | EPOLLRDHUP | EPOLLHUP);

  // Closing the epoll while something is registered is fine.
  close(ep);
  close(ends[0]);
  return 0;
}
