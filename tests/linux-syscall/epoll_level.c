// epoll: level-triggered readiness, EPOLL_CTL_*, order of fairness, data words, errors of every
// call.
#include <poll.h>
#include <sys/epoll.h>

#include "check.h"

static int Wait(int ep, struct epoll_event* events, int max, int timeout) {
  return (int)CHECK_OK(epoll_wait(ep, events, max, timeout));
}

int main(void) {
  TempDir();
  int ep = (int)CHECK_OK(epoll_create1(EPOLL_CLOEXEC));
  CHECK_EQ(fcntl(ep, F_GETFD), FD_CLOEXEC);
  struct epoll_event events[8], event = {.events = EPOLLIN, .data.u64 = 0x123456789abcdefull};
  int ends[2];
  CHECK_OK(pipe2(ends, O_NONBLOCK));
  CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &event));
  CHECK_EQ(Wait(ep, events, 8, 0), 0);
  CHECK_EQ(write(ends[1], "xy", 2), 2);
  for (int i = 0; i < 3; i++) {  // as long as something is there
    CHECK_EQ(Wait(ep, events, 8, -1), 1);
    CHECK_EQ(events[0].events, EPOLLIN);
    CHECK_EQ(events[0].data.u64, 0x123456789abcdefull);
  }
  struct pollfd self = {ep, POLLIN, 0};
  CHECK_EQ(poll(&self, 1, 0), 1);
  char c[2];
  CHECK_EQ(read(ends[0], c, 2), 2);
  CHECK_EQ(Wait(ep, events, 8, 0), 0);
  CHECK_EQ(poll(&self, 1, 0), 0);

  event.events = EPOLLOUT;
  event.data.u32 = 7;
  CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, ends[1], &event));
  CHECK_EQ(Wait(ep, events, 8, 0), 1);
  CHECK_EQ(events[0].events, EPOLLOUT);
  CHECK_EQ(events[0].data.u32, 7);
  event.events = 0;
  CHECK_OK(epoll_ctl(ep, EPOLL_CTL_MOD, ends[1], &event));
  CHECK_EQ(Wait(ep, events, 8, 0), 0);
  event.events = EPOLLOUT;  // a change to what is ready is told at once
  CHECK_OK(epoll_ctl(ep, EPOLL_CTL_MOD, ends[1], &event));
  CHECK_EQ(Wait(ep, events, 8, 0), 1);

  // Both ready: small buffers take turns.
  CHECK_EQ(write(ends[1], "z", 1), 1);
  CHECK_EQ(Wait(ep, events, 8, 0), 2);
  unsigned seen = 0;
  for (int i = 0; i < 2; i++) {
    CHECK_EQ(Wait(ep, events, 1, 0), 1);
    seen |= events[0].events;
  }
  CHECK_EQ(seen, EPOLLIN | EPOLLOUT);

  CHECK_OK(epoll_ctl(ep, EPOLL_CTL_DEL, ends[1], NULL));
  CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_DEL, ends[1], NULL), ENOENT);
  CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_MOD, ends[1], &event), ENOENT);
  CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &event), EEXIST);
  CHECK_ERR(epoll_ctl(ep, 99, ends[1], &event), EINVAL);
  CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &event), EINVAL);
  CHECK_ERR(epoll_ctl(ends[0], EPOLL_CTL_ADD, ends[1], &event), EINVAL);
  CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, 999, &event), EBADF);
  CHECK_ERR(epoll_ctl(999, EPOLL_CTL_ADD, ends[1], &event), EBADF);
  CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, ends[1], NULL), EFAULT);
  int file = (int)CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
  CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, file, &event), EPERM);  // always ready: refused
  int dir = (int)CHECK_OK(open(".", O_RDONLY));
  CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, dir, &event), EPERM);
  CHECK_ERR(epoll_wait(ep, events, 0, 0), EINVAL);
  CHECK_ERR(epoll_wait(ep, events, -1, 0), EINVAL);
  CHECK_ERR(epoll_wait(ends[0], events, 1, 0), EINVAL);
  CHECK_ERR(epoll_wait(999, events, 1, 0), EBADF);
  CHECK_ERR(epoll_wait(ep, (struct epoll_event*)8, 1, 0), EFAULT);
  CHECK_ERR(epoll_create1(1), EINVAL);
  CHECK_ERR(epoll_create(0), EINVAL);
  return 0;
}
