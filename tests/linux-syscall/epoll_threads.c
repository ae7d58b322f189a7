// epoll between threads: what is added, changed or written while another waits wakes it.
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "check.h"

static int ep, started;
static struct epoll_event got;
static volatile pid_t waiter_id;

static void* Waiter(void* unused) {
  waiter_id = (pid_t)syscall(SYS_gettid);
  CHECK_EQ(epoll_wait(ep, &got, 1, -1), 1);
  return unused;
}

static pthread_t Start(void) {
  pthread_t thread;
  waiter_id = 0;
  CHECK_EQ(pthread_create(&thread, NULL, Waiter, NULL), 0);
  while (waiter_id == 0) Nap(1);
  started++;
  Nap(3);
  return thread;
}

int main(void) {
  ep = (int)CHECK_OK(epoll_create1(0));
  int ready = (int)CHECK_OK(eventfd(1, 0)), quiet = (int)CHECK_OK(eventfd(0, 0));
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = 1};
  pthread_t thread = Start();
  CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, ready, &event));
  CHECK_EQ(pthread_join(thread, NULL), 0);
  CHECK_EQ(got.data.u32, 1);

  event.events = 0;
  CHECK_OK(epoll_ctl(ep, EPOLL_CTL_MOD, ready, &event));
  thread = Start();
  event.events = EPOLLIN;
  event.data.u32 = 2;
  CHECK_OK(epoll_ctl(ep, EPOLL_CTL_MOD, ready, &event));
  CHECK_EQ(pthread_join(thread, NULL), 0);
  CHECK_EQ(got.data.u32, 2);
  CHECK_OK(epoll_ctl(ep, EPOLL_CTL_DEL, ready, NULL));

  event.data.u32 = 3;
  CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, quiet, &event));
  thread = Start();
  uint64_t one = 1;
  CHECK_EQ(write(quiet, &one, 8), 8);
  CHECK_EQ(pthread_join(thread, NULL), 0);
  CHECK_EQ(got.data.u32, 3);

  // Ping-pong, a thousand times.
  int ping = (int)CHECK_OK(eventfd(0, 0)), pong = (int)CHECK_OK(eventfd(0, 0));
  pid_t pid = Fork();
  if (pid == 0) {
    int own = (int)CHECK_OK(epoll_create1(0));
    event = (struct epoll_event){.events = EPOLLIN | EPOLLET};
    CHECK_OK(epoll_ctl(own, EPOLL_CTL_ADD, ping, &event));
    for (int i = 0; i < 1000; i++) {
      CHECK_EQ(epoll_wait(own, &event, 1, -1), 1);
      CHECK_EQ(read(ping, &one, 8), 8);
      CHECK_EQ(write(pong, &one, 8), 8);
    }
    _exit(0);
  }
  for (int i = 0; i < 1000; i++) {
    one = 1;
    CHECK_EQ(write(ping, &one, 8), 8);
    CHECK_EQ(read(pong, &one, 8), 8);
    CHECK_EQ(one, 1);
  }
  WAIT_EXIT(pid, 0);
  return 0;
}
