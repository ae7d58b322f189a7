// Writing without readers: SIGPIPE and EPIPE; interruption of blocked reads and writes.
#include <sys/ioctl.h>

#include "check.h"

static volatile sig_atomic_t signals;
static void OnSignal(int number) {
  (void)number;
  signals++;
}

int main(void) {
  int ends[2];
  CHECK_OK(pipe(ends));
  close(ends[0]);
  IN_CHILD_KILLED_BY(SIGPIPE, (void)!write(ends[1], "x", 1));
  Handle(SIGPIPE, OnSignal, 0);
  CHECK_ERR(write(ends[1], "x", 1), EPIPE);
  CHECK_EQ(signals, 1);
  CHECK_EQ(write(ends[1], "", 0), 0);
  CHECK_EQ(signals, 1);
  signal(SIGPIPE, SIG_IGN);
  CHECK_ERR(write(ends[1], "x", 1), EPIPE);
  close(ends[1]);

  // The reader goes while a writer waits: the writer tells how far it came.
  static char data[1 << 20];
  CHECK_OK(pipe(ends));
  long room = CHECK_OK(fcntl(ends[1], F_GETPIPE_SZ));
  pid_t pid = Fork();
  if (pid == 0) {
    close(ends[0]);
    long n = write(ends[1], data, sizeof data);
    CHECK_EQ(n, room);
    CHECK_ERR(write(ends[1], data, 1), EPIPE);
    _exit(0);
  }
  close(ends[1]);
  int filled;
  CHECK(EVENTUALLY(ioctl(ends[0], FIONREAD, &filled) == 0 && filled == room));
  LetBlock(pid);
  close(ends[0]);
  int status = WAIT_STATUS(pid);
  CHECK(WIFEXITED(status));
  if (WEXITSTATUS(status) != 0) FAIL("the writer failed");

  // Handlers: EINTR without SA_RESTART, on with it, and short counts where something was moved.
  CHECK_OK(pipe(ends));
  int told[2];
  CHECK_OK(pipe(told));
  pid = Fork();
  if (pid == 0) {
    char c;
    Handle(SIGUSR1, OnSignal, 0);
    CHECK_EQ(write(told[1], "r", 1), 1);
    CHECK_ERR(read(ends[0], &c, 1), EINTR);
    Handle(SIGUSR1, OnSignal, SA_RESTART);
    CHECK_EQ(write(told[1], "i", 1), 1);
    CHECK_EQ(read(ends[0], &c, 1), 1);
    CHECK_EQ(c, 'x');
    Handle(SIGUSR1, OnSignal, SA_RESTART);
    CHECK_EQ(write(told[1], "w", 1), 1);
    CHECK_EQ(write(ends[1], data, sizeof data), room);
    CHECK_EQ(write(told[1], "d", 1), 1);
    _exit(0);
  }
  char c;
  CHECK_EQ(read(told[0], &c, 1), 1);
  CHECK_OK(fcntl(told[0], F_SETFL, O_NONBLOCK));
  while (read(told[0], &c, 1) != 1) {
    CHECK_OK(kill(pid, SIGUSR1));
    Nap(2);
  }
  CHECK_EQ(c, 'i');
  for (int i = 0; i < 5; i++) {
    CHECK_OK(kill(pid, SIGUSR1));
    Nap(2);
  }
  CHECK_ERR(read(told[0], &c, 1), EAGAIN);  // still waiting
  CHECK_EQ(write(ends[1], "x", 1), 1);
  CHECK(EVENTUALLY(read(told[0], &c, 1) == 1));
  CHECK_EQ(c, 'w');
  LetBlock(pid);
  Nap(20);
  while (read(told[0], &c, 1) != 1) {
    CHECK_OK(kill(pid, SIGUSR1));
    Nap(2);
  }
  CHECK_EQ(c, 'd');
  WAIT_EXIT(pid, 0);
  return 0;
}
