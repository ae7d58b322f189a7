// Hundreds of descriptors in one poll and one epoll; the one that is ready is found.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "check.h"

enum { kCount = 300 };

int main(void) {
  struct pollfd fds[kCount];
  int ep = (int)CHECK_OK(epoll_create1(0));
  for (int i = 0; i < kCount; i++) {
    fds[i] = (struct pollfd){(int)CHECK_OK(eventfd(0, EFD_NONBLOCK)), POLLIN, 0};
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
    CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, fds[i].fd, &event));
  }
  CHECK_EQ(poll(fds, kCount, 0), 0);
  uint64_t one = 1;
  for (int i = 0; i < kCount; i += 37) {
    CHECK_EQ(write(fds[i].fd, &one, 8), 8);
    CHECK_EQ(poll(fds, kCount, -1), 1);
    for (int j = 0; j < kCount; j++) CHECK_EQ(fds[j].revents, j == i ? POLLIN : 0);
    struct epoll_event got[4];
    CHECK_EQ(epoll_wait(ep, got, 4, -1), 1);
    CHECK_EQ(got[0].data.u32, i);
    CHECK_EQ(read(fds[i].fd, &one, 8), 8);
  }
  for (int i = 0; i < kCount; i++) CHECK_EQ(write(fds[i].fd, &one, 8), 8);
  CHECK_EQ(poll(fds, kCount, 0), kCount);
  // All of them come, a few at a time, none starves.
  static bool seen[kCount];
  int left = kCount;
  while (left > 0) {
    struct epoll_event got[64];
    int n = (int)CHECK_OK(epoll_wait(ep, got, 64, -1));
    CHECK(n > 0);
    for (int i = 0; i < n; i++) {
      CHECK(!seen[got[i].data.u32]);
      seen[got[i].data.u32] = true;
      CHECK_EQ(read(fds[got[i].data.u32].fd, &one, 8), 8);
      left--;
    }
  }
  CHECK_EQ(epoll_wait(ep, &(struct epoll_event){0}, 1, 0), 0);
  return 0;
}
