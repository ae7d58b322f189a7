// nanosleep(2), clock_nanosleep(2): at least that long, what remains after a signal, points in
// time, errors.
#include "proc.h"

static volatile sig_atomic_t count;
static void Count(int number) { count += number != 0; }

static long Sleep(clockid_t clock, int flags, struct timespec time, struct timespec* left) {
  return syscall(SYS_clock_nanosleep, clock, flags, &time, left);
}

static struct timespec At(int64_t ns) {
  return (struct timespec){ns / 1000000000, ns % 1000000000};
}

int main(void) {
  struct timespec left, bad;
  for (int ms = 0; ms <= 20; ms += 10) {
    int64_t start = NowNs(CLOCK_MONOTONIC);
    CHECK_OK(nanosleep(&(struct timespec){0, ms * 1000000}, NULL));
    CHECK(NowNs(CLOCK_MONOTONIC) - start >= ms * 1000000);
  }
  bad = (struct timespec){0, 1000000000};
  CHECK_ERR(nanosleep(&bad, &left), EINVAL);
  bad = (struct timespec){0, -1};
  CHECK_ERR(nanosleep(&bad, &left), EINVAL);
  bad = (struct timespec){-1, 0};
  CHECK_ERR(nanosleep(&bad, &left), EINVAL);

  static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI};
  for (int i = 0; i < 4; i++) {
    int64_t start = NowNs(clocks[i]);
    CHECK_OK(Sleep(clocks[i], 0, At(5000000), NULL));
    CHECK(NowNs(clocks[i]) - start >= 5000000);
    int64_t end = NowNs(clocks[i]) + 5000000;
    CHECK_OK(Sleep(clocks[i], TIMER_ABSTIME, At(end), NULL));
    CHECK(NowNs(clocks[i]) >= end);
    CHECK_OK(Sleep(clocks[i], TIMER_ABSTIME, At(1), NULL));  // long ago
  }
  CHECK_ERR(Sleep(99, 0, At(1), NULL), EINVAL);
  CHECK_ERR(Sleep(CLOCK_THREAD_CPUTIME_ID, 0, At(1), NULL), EOPNOTSUPP);
  CHECK_ERR(Sleep(CLOCK_MONOTONIC_COARSE, 0, At(1), NULL), EOPNOTSUPP);
  CHECK_ERR(Sleep(CLOCK_MONOTONIC, 0, bad, NULL), EINVAL);

  // Interrupted: a relative sleep tells what remains, an absolute one does not.
  Handle(SIGALRM, Count, 0);
  struct itimerval timer = {{0, 20000}, {0, 20000}};
  CHECK_OK(setitimer(ITIMER_REAL, &timer, NULL));
  left = (struct timespec){-1, -1};
  CHECK_ERR(nanosleep(&(struct timespec){30, 0}, &left), EINTR);
  CHECK(left.tv_sec >= 20 && left.tv_sec < 30 && left.tv_nsec >= 0);
  CHECK_ERR(nanosleep(&(struct timespec){30, 0}, NULL), EINTR);
  CHECK_ERR(syscall(SYS_nanosleep, &(struct timespec){30, 0}, BAD_POINTER), EFAULT);
  left = (struct timespec){-1, -1};
  CHECK_ERR(Sleep(CLOCK_MONOTONIC, TIMER_ABSTIME, At(NowNs(CLOCK_MONOTONIC) + 30000000000), &left),
            EINTR);
  CHECK_EQ(left.tv_sec, -1);
  CHECK(count >= 4);
  // Sleeping with the rest each time comes to the whole.
  int64_t start = NowNs(CLOCK_MONOTONIC);
  left = (struct timespec){0, 90000000};
  while (nanosleep(&left, &left) == -1) CHECK_EQ(errno, EINTR);
  CHECK(NowNs(CLOCK_MONOTONIC) - start >= 90000000);

  // The C library's functions on top.
  timer = (struct itimerval){{0, 0}, {0, 0}};
  CHECK_OK(setitimer(ITIMER_REAL, &timer, NULL));
  CHECK_OK(usleep(1000));
  CHECK_EQ(sleep(0), 0);
  CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){0, 1000}, NULL), 0);
  return 0;
}
