// epoll: epolls inside epolls, loops refused, depth limited.
#include <sys/epoll.h>

#include "check.h"

int main(void) {
  int outer = (int)CHECK_OK(epoll_create1(0)), inner = (int)CHECK_OK(epoll_create1(0));
  int ends[2];
  CHECK_OK(pipe(ends));
  struct epoll_event event = {.events = EPOLLIN}, got;
  CHECK_OK(epoll_ctl(outer, EPOLL_CTL_ADD, inner, &event));
  CHECK_EQ(epoll_wait(outer, &got, 1, 0), 0);
  CHECK_OK(epoll_ctl(inner, EPOLL_CTL_ADD, ends[0], &event));
  CHECK_EQ(epoll_wait(outer, &got, 1, 0), 0);
  CHECK_EQ(write(ends[1], "x", 1), 1);
  CHECK_EQ(epoll_wait(outer, &got, 1, -1), 1);
  CHECK_EQ(got.events, EPOLLIN);
  CHECK_EQ(epoll_wait(inner, &got, 1, -1), 1);
  char c;
  CHECK_EQ(read(ends[0], &c, 1), 1);
  CHECK_EQ(epoll_wait(outer, &got, 1, 0), 0);

  // A sleeper in the outer one is woken through the inner one.
  pid_t pid = Fork();
  if (pid == 0) {
    CHECK_EQ(epoll_wait(outer, &got, 1, -1), 1);
    _exit(0);
  }
  LetBlock(pid);
  CHECK_EQ(write(ends[1], "x", 1), 1);
  WAIT_EXIT(pid, 0);

  CHECK_ERR(epoll_ctl(inner, EPOLL_CTL_ADD, outer, &event), ELOOP);
  CHECK_ERR(epoll_ctl(inner, EPOLL_CTL_ADD, inner, &event), EINVAL);
  int chain = outer, error = 0;
  for (int i = 0; i < 8 && !error; i++) {  // five levels are the most
    int next = (int)CHECK_OK(epoll_create1(0));
    if (epoll_ctl(next, EPOLL_CTL_ADD, chain, &event) == -1) error = errno;
    chain = next;
  }
  CHECK(error == ELOOP || error == EINVAL);
  close(inner);
  CHECK_EQ(epoll_wait(outer, &got, 1, 0), 0);
  return 0;
}
