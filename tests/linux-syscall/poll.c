// poll(2), ppoll(2): what is reported, timeouts, bad descriptors, signal masks.
#include <poll.h>
#include <sys/socket.h>

#include "check.h"

static volatile sig_atomic_t signals;
static void OnSignal(int number) {
  (void)number;
  signals++;
}

static int PollOne(int fd, short events) {
  struct pollfd one = {fd, events, 0x7fff};
  int n = (int)CHECK_OK(poll(&one, 1, 0));
  CHECK_EQ(n, one.revents != 0);
  return one.revents;
}

static void TestReadiness(void) {
  int ends[2];
  CHECK_OK(pipe2(ends, O_NONBLOCK));
  CHECK_EQ(PollOne(ends[0], POLLIN), 0);
  CHECK_EQ(PollOne(ends[1], POLLIN | POLLOUT), POLLOUT);
  CHECK_EQ(write(ends[1], "x", 1), 1);
  CHECK_EQ(PollOne(ends[0], POLLIN | POLLRDNORM | POLLOUT), POLLIN | POLLRDNORM);
  CHECK_EQ(PollOne(ends[0], 0), 0);
  static char data[1 << 20];
  CHECK(write(ends[1], data, sizeof data) > 0);
  CHECK_EQ(PollOne(ends[1], POLLOUT), 0);
  int reader = (int)CHECK_OK(dup(ends[0]));
  close(ends[1]);
  CHECK_EQ(PollOne(reader, POLLIN), POLLIN | POLLHUP);
  while (read(reader, data, sizeof data) > 0) continue;
  CHECK_EQ(PollOne(reader, POLLIN), POLLHUP);
  CHECK_EQ(PollOne(reader, 0), POLLHUP);
  CHECK_OK(pipe(ends));
  close(ends[0]);
  CHECK_EQ(PollOne(ends[1], POLLOUT), POLLOUT | POLLERR);
  CHECK_EQ(PollOne(ends[1], 0), POLLERR);

  CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  CHECK_EQ(PollOne(ends[0], POLLIN | POLLOUT | POLLRDHUP), POLLOUT);
  CHECK_EQ(write(ends[1], "x", 1), 1);
  CHECK_OK(shutdown(ends[1], SHUT_WR));
  CHECK_EQ(PollOne(ends[0], POLLIN | POLLRDHUP), POLLIN | POLLRDHUP);
  close(ends[1]);
  CHECK_EQ(PollOne(ends[0], POLLIN | POLLOUT), POLLIN | POLLOUT | POLLHUP);

  int file = (int)CHECK_OK(open("/dev/null", O_RDONLY));
  CHECK_EQ(PollOne(file, POLLIN | POLLOUT), POLLIN | POLLOUT);  // always
  CHECK_EQ(PollOne(777, POLLIN), POLLNVAL);
  int path = (int)CHECK_OK(open("/dev/null", O_PATH));
  CHECK_EQ(PollOne(path, POLLIN), POLLNVAL);
  struct pollfd ignored = {-5, POLLIN, 0x7fff};
  CHECK_EQ(poll(&ignored, 1, 0), 0);
  CHECK_EQ(ignored.revents, 0);
}

static void TestWaiting(void) {
  int ends[2];
  CHECK_OK(pipe(ends));
  struct pollfd fds[2] = {{ends[0], POLLIN, 0}, {-1, 0, 0}};
  int64_t start = NowMs();
  CHECK_EQ(poll(fds, 2, 30), 0);
  CHECK(NowMs() - start >= 29);
  CHECK_EQ(poll(NULL, 0, 5), 0);
  pid_t pid = Fork();
  if (pid == 0) {
    Nap(20);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    _exit(0);
  }
  CHECK_EQ(poll(fds, 2, -1), 1);
  CHECK_EQ(fds[0].revents, POLLIN);
  WAIT_EXIT(pid, 0);
  struct timespec timeout = {0, 0}, bad = {0, 1000000000}, negative = {-1, 0};
  CHECK_EQ(ppoll(fds, 1, &timeout, NULL), 1);
  CHECK_EQ(ppoll(fds, 1, NULL, NULL), 1);
  CHECK_ERR(ppoll(fds, 1, &bad, NULL), EINVAL);
  CHECK_ERR(ppoll(fds, 1, &negative, NULL), EINVAL);
  CHECK_ERR(syscall(SYS_ppoll, (void*)8, 1, &timeout, NULL, 8), EFAULT);
  CHECK_ERR(syscall(SYS_ppoll, fds, 0x7fffffff, &timeout, NULL, 8), EINVAL);
}

static void TestMask(void) {
  // Blocked outside of ppoll, let in during it: no race.
  Handle(SIGUSR1, OnSignal, SA_RESTART);
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  CHECK_OK(sigprocmask(SIG_BLOCK, &blocked, &before));
  CHECK_OK(raise(SIGUSR1));
  CHECK_EQ(poll(NULL, 0, 5), 0);
  CHECK_EQ(signals, 0);
  sigset_t open_mask;
  sigemptyset(&open_mask);
  CHECK_ERR(ppoll(NULL, 0, NULL, &open_mask), EINTR);  // SA_RESTART does not count for poll
  CHECK_EQ(signals, 1);
  sigset_t now;
  CHECK_OK(sigprocmask(SIG_SETMASK, &before, &now));
  CHECK(sigismember(&now, SIGUSR1));
}

int main(void) {
  TestReadiness();
  TestWaiting();
  TestMask();
  return 0;
}
