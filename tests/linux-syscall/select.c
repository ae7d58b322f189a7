// select(2), pselect(2): the sets, the time that is left, errors, signal masks.
#include <sys/select.h>

#include "check.h"

static volatile sig_atomic_t signals;
static void OnSignal(int number) {
  (void)number;
  signals++;
}

int main(void) {
  int ends[2];
  CHECK_OK(pipe(ends));
  fd_set in, out, except;
  struct timeval zero = {0, 0};
  FD_ZERO(&in);
  FD_ZERO(&out);
  FD_ZERO(&except);
  FD_SET(ends[0], &in);
  FD_SET(ends[1], &out);
  FD_SET(ends[0], &except);
  int top = ends[1] + 1;
  CHECK_EQ(select(top, &in, &out, &except, &zero), 1);
  CHECK(!FD_ISSET(ends[0], &in));
  CHECK(FD_ISSET(ends[1], &out));
  CHECK(!FD_ISSET(ends[0], &except));
  CHECK_EQ(write(ends[1], "x", 1), 1);
  FD_SET(ends[0], &in);
  CHECK_EQ(select(top, &in, &out, NULL, NULL), 2);  // counts bits over all sets
  FD_SET(ends[1], &in);                             // the writing end is not readable
  CHECK_EQ(select(top, &in, NULL, NULL, &zero), 1);
  CHECK(!FD_ISSET(ends[1], &in));

  // Bits at and above n are not looked at.
  FD_ZERO(&in);
  FD_SET(1000, &in);
  CHECK_EQ(select(top, &in, NULL, NULL, &zero), 0);
  FD_ZERO(&in);
  FD_SET(60, &in);  // closed; numbers beyond the table that the process has are overlooked, this
                    // one is not
  close(60);
  CHECK_ERR(select(61, &in, NULL, NULL, &zero), EBADF);
  CHECK(FD_ISSET(60, &in));
  CHECK_ERR(select(-1, NULL, NULL, NULL, &zero), EINVAL);

  // Closed ends.
  char c;
  CHECK_EQ(read(ends[0], &c, 1), 1);
  close(ends[1]);
  FD_ZERO(&in);
  FD_SET(ends[0], &in);
  CHECK_EQ(select(top, &in, NULL, NULL, NULL), 1);
  CHECK_EQ(read(ends[0], &c, 1), 0);

  // A timeout, of which Linux leaves zero; and the rest when something came first.
  CHECK_OK(pipe(ends));
  FD_ZERO(&in);
  FD_SET(ends[0], &in);
  struct timeval timeout = {0, 20000};
  int64_t start = NowMs();
  CHECK_EQ(select(ends[0] + 1, &in, NULL, NULL, &timeout), 0);
  CHECK(NowMs() - start >= 19);
  CHECK(!FD_ISSET(ends[0], &in));
  CHECK_EQ(timeout.tv_sec, 0);
  CHECK_EQ(timeout.tv_usec, 0);
  CHECK_EQ(write(ends[1], "x", 1), 1);
  FD_SET(ends[0], &in);
  timeout.tv_sec = 100;
  CHECK_EQ(select(ends[0] + 1, &in, NULL, NULL, &timeout), 1);
  CHECK(timeout.tv_sec >= 90);
  timeout = (struct timeval){-1, 0};
  CHECK_ERR(select(0, NULL, NULL, NULL, &timeout), EINVAL);
  CHECK_ERR(syscall(SYS_pselect6, 1, (void*)8, NULL, NULL, NULL, NULL), EFAULT);

  Handle(SIGUSR1, OnSignal, 0);
  sigset_t blocked, none;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  sigemptyset(&none);
  CHECK_OK(sigprocmask(SIG_BLOCK, &blocked, NULL));
  CHECK_OK(raise(SIGUSR1));
  CHECK_EQ(signals, 0);
  FD_ZERO(&in);
  CHECK_ERR(pselect(0, NULL, NULL, NULL, NULL, &none), EINTR);
  CHECK_EQ(signals, 1);
  struct timespec brief = {0, 1000000};
  CHECK_EQ(pselect(0, NULL, NULL, NULL, &brief, &none), 0);
  CHECK_EQ(brief.tv_nsec, 1000000);  // the C library keeps it unchanged
  return 0;
}
