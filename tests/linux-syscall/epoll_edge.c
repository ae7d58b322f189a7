// epoll: EPOLLET tells each change once, EPOLLONESHOT once until re-armed.
#include <sys/epoll.h>

#include "check.h"

static int Wait(int ep) {
  struct epoll_event event = {0};
  int n = (int)CHECK_OK(epoll_wait(ep, &event, 1, 0));
  return n == 0 ? 0 : (int)event.events;
}

int main(void) {
  int ep = (int)CHECK_OK(epoll_create1(0));
  int ends[2];
  char c[8];
  CHECK_OK(pipe2(ends, O_NONBLOCK));
  struct epoll_event event = {.events = EPOLLIN | EPOLLET};
  CHECK_EQ(write(ends[1], "a", 1), 1);
  CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &event));
  CHECK_EQ(Wait(ep), EPOLLIN);  // was ready when added
  CHECK_EQ(Wait(ep), 0);
  CHECK_EQ(write(ends[1], "b", 1), 1);
  CHECK_EQ(Wait(ep), EPOLLIN);  // more came, though it was readable all the time
  CHECK_EQ(Wait(ep), 0);
  CHECK_EQ(read(ends[0], c, 1), 1);
  CHECK_EQ(Wait(ep), 0);  // reading a part is no edge
  CHECK_EQ(read(ends[0], c, 8), 1);
  CHECK_EQ(write(ends[1], "c", 1), 1);
  CHECK_EQ(read(ends[0], c, 8), 1);
  CHECK_EQ(Wait(ep), 0);  // gone again before anybody looked
  CHECK_OK(epoll_ctl(ep, EPOLL_CTL_MOD, ends[0], &event));
  CHECK_EQ(Wait(ep), 0);
  CHECK_EQ(write(ends[1], "d", 1), 1);
  CHECK_EQ(Wait(ep), EPOLLIN);
  CHECK_OK(epoll_ctl(ep, EPOLL_CTL_MOD, ends[0], &event));
  CHECK_EQ(Wait(ep), EPOLLIN);  // MOD looks anew
  close(ends[1]);
  CHECK_EQ(Wait(ep), EPOLLIN | EPOLLHUP);
  CHECK_EQ(Wait(ep), 0);
  close(ends[0]);

  CHECK_OK(pipe2(ends, O_NONBLOCK));
  event.events = EPOLLIN | EPOLLONESHOT;
  CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &event));
  CHECK_EQ(write(ends[1], "a", 1), 1);
  CHECK_EQ(Wait(ep), EPOLLIN);
  CHECK_EQ(Wait(ep), 0);
  CHECK_EQ(write(ends[1], "b", 1), 1);
  CHECK_EQ(Wait(ep), 0);
  CHECK_OK(epoll_ctl(ep, EPOLL_CTL_MOD, ends[0], &event));
  CHECK_EQ(Wait(ep), EPOLLIN);
  CHECK_EQ(Wait(ep), 0);
  close(ends[1]);
  CHECK_EQ(Wait(ep), 0);  // not even a hang-up
  CHECK_OK(epoll_ctl(ep, EPOLL_CTL_MOD, ends[0], &event));
  CHECK_EQ(Wait(ep), EPOLLIN | EPOLLHUP);

  // Output edges: told when room appears.
  CHECK_OK(pipe2(ends, O_NONBLOCK));
  event.events = EPOLLOUT | EPOLLET;
  CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, ends[1], &event));
  CHECK_EQ(Wait(ep), EPOLLOUT);
  CHECK_EQ(Wait(ep), 0);
  static char data[1 << 20];
  while (write(ends[1], data, sizeof data) > 0) continue;
  CHECK_EQ(errno, EAGAIN);
  CHECK_EQ(Wait(ep), 0);
  while (read(ends[0], data, sizeof data) > 0) continue;
  CHECK_EQ(Wait(ep), EPOLLOUT);
  CHECK_EQ(Wait(ep), 0);
  return 0;
}
