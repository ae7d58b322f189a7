// epoll: EPOLLEXCLUSIVE wakes one, its restrictions; epoll_pwait's mask and epoll_pwait2's
// timeout.
#include <sys/epoll.h>

#include "check.h"

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

static volatile sig_atomic_t signals;
static void OnSignal(int number) {
  (void)number;
  signals++;
}

// Of several that sleep, one is told of one event, though the cause stays.
static void WakesOne(void) {
  enum { kWaiters = 4 };
  int ends[2], told[2];
  CHECK_OK(pipe(ends));
  CHECK_OK(pipe(told));
  pid_t pids[kWaiters];
  for (int i = 0; i < kWaiters; i++) {
    pids[i] = Fork();
    if (pids[i] != 0) continue;
    int ep = (int)CHECK_OK(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE};
    CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &event));
    CHECK_EQ(epoll_wait(ep, &event, 1, -1), 1);
    CHECK_EQ(write(told[1], "x", 1), 1);
    pause();
  }
  for (int i = 0; i < kWaiters; i++) AWAIT_STATE(pids[i], 'S');
  CHECK_EQ(write(ends[1], "x", 1), 1);
  char c;
  CHECK_EQ(read(told[0], &c, 1), 1);
  Nap(20);
  CHECK_OK(fcntl(told[0], F_SETFL, O_NONBLOCK));
  CHECK_ERR(read(told[0], &c, 1), EAGAIN);
  for (int i = 0; i < kWaiters; i++) CHECK_OK(kill(pids[i], SIGKILL));
  for (int i = 0; i < kWaiters; i++) WAIT_SIGNAL(pids[i], SIGKILL);
}

int main(void) {
  int ends[2], told[2];
  CHECK_OK(pipe2(ends, O_NONBLOCK));
  CHECK_OK(pipe(told));
  pid_t pids[3];
  for (int i = 0; i < 3; i++) {
    pids[i] = Fork();
    if (pids[i] == 0) {
      int ep = (int)CHECK_OK(epoll_create1(0));
      struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE};
      CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &event));
      for (;;) {
        CHECK_EQ(epoll_wait(ep, &event, 1, -1), 1);
        char c;
        if (read(ends[0], &c, 1) != 1) continue;
        CHECK_EQ(write(told[1], &c, 1), 1);
        if (c == 'q') _exit(0);
      }
    }
  }
  char c;
  for (int i = 0; i < 23; i++) {  // no wake-up gets lost
    CHECK_EQ(write(ends[1], i < 20 ? "x" : "q", 1), 1);
    CHECK_EQ(read(told[0], &c, 1), 1);
  }
  for (int i = 0; i < 3; i++) WAIT_EXIT(pids[i], 0);

  WakesOne();

  int ep = (int)CHECK_OK(epoll_create1(0)), other = (int)CHECK_OK(epoll_create1(0));
  struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE};
  CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, other, &event), EINVAL);
  CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &event));
  CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_MOD, ends[0], &event), EINVAL);
  event.events = EPOLLIN;
  CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_MOD, ends[0], &event), EINVAL);
  CHECK_OK(epoll_ctl(ep, EPOLL_CTL_DEL, ends[0], NULL));
  event.events = EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT;
  CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &event), EINVAL);

  Handle(SIGUSR1, OnSignal, SA_RESTART);
  sigset_t blocked, none;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  sigemptyset(&none);
  CHECK_OK(sigprocmask(SIG_BLOCK, &blocked, NULL));
  CHECK_OK(raise(SIGUSR1));
  CHECK_EQ(epoll_wait(ep, &event, 1, 1), 0);
  CHECK_EQ(signals, 0);
  CHECK_ERR(epoll_pwait(ep, &event, 1, -1, &none), EINTR);
  CHECK_EQ(signals, 1);
  struct timespec brief = {0, 5000000}, bad = {0, 1000000000};
  int64_t start = NowMs();
  CHECK_EQ(syscall(SYS_epoll_pwait2, ep, &event, 1, &brief, NULL, 8), 0);
  CHECK(NowMs() - start >= 4);
  CHECK_ERR(syscall(SYS_epoll_pwait2, ep, &event, 1, &bad, NULL, 8), EINVAL);
  return 0;
}
