// O_NONBLOCK pipes: EAGAIN, partial writes, all-or-nothing up to PIPE_BUF.
#include "check.h"

int main(void) {
  int ends[2];
  CHECK_OK(pipe2(ends, O_NONBLOCK));
  static char data[1 << 20];
  CHECK_ERR(read(ends[0], data, 1), EAGAIN);
  long room = CHECK_OK(fcntl(ends[1], F_GETPIPE_SZ));
  CHECK(room >= (long)PageSize());
  CHECK_EQ(write(ends[1], data, sizeof data), room);  // partial
  CHECK_ERR(write(ends[1], data, 1), EAGAIN);
  CHECK_ERR(write(ends[1], data, sizeof data), EAGAIN);
  // Room for less than asked, at most PIPE_BUF: nothing is written.
  CHECK_EQ(read(ends[0], data, PIPE_BUF), PIPE_BUF);
  CHECK_EQ(write(ends[1], data, 100), 100);
  CHECK_ERR(write(ends[1], data, PIPE_BUF), EAGAIN);
  long total = 0, n;
  while ((n = read(ends[0], data, 4000)) > 0) total += n;
  CHECK_EQ(errno, EAGAIN);
  CHECK_EQ(total, room - PIPE_BUF + 100);
  close(ends[1]);
  CHECK_EQ(read(ends[0], data, 1), 0);

  // The flag set later, and only for one of the ends.
  CHECK_OK(pipe(ends));
  CHECK_OK(fcntl(ends[0], F_SETFL, O_NONBLOCK));
  CHECK_ERR(read(ends[0], data, 1), EAGAIN);
  pid_t pid = Fork();
  if (pid == 0) {
    CHECK_EQ(write(ends[1], data, sizeof data), sizeof data);  // blocks until all is gone
    _exit(0);
  }
  close(ends[1]);
  total = 0;
  while ((n = read(ends[0], data, sizeof data)) != 0) {
    if (n > 0)
      total += n;
    else
      CHECK_EQ(errno, EAGAIN);
  }
  CHECK_EQ(total, sizeof data);
  WAIT_EXIT(pid, 0);
  return 0;
}
