// timerfd_create(2): one shot, intervals, absolute times, disarming, counts, errors.
#include <poll.h>
#include <sys/timerfd.h>

#include "check.h"

static int64_t NowNs(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * 1000000000ll + now.tv_nsec;
}

int main(void) {
  uint64_t count = 0;
  int fd = (int)CHECK_OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  CHECK_ERR(read(fd, &count, 8), EAGAIN);
  struct itimerspec spec = {.it_value = {0, 10000000}}, old;
  int64_t start = NowNs(CLOCK_MONOTONIC);
  CHECK_OK(timerfd_settime(fd, 0, &spec, NULL));
  CHECK_OK(timerfd_gettime(fd, &old));
  CHECK(old.it_value.tv_sec == 0 && old.it_value.tv_nsec <= 10000000);
  CHECK_EQ(old.it_interval.tv_nsec, 0);
  struct pollfd one = {fd, POLLIN, 0};
  CHECK_EQ(poll(&one, 1, -1), 1);
  CHECK(NowNs(CLOCK_MONOTONIC) - start >= 10000000);
  CHECK_ERR(read(fd, &count, 7), EINVAL);
  CHECK_EQ(read(fd, &count, 8), 8);
  CHECK_EQ(count, 1);
  CHECK_ERR(read(fd, &count, 8), EAGAIN);
  CHECK_OK(timerfd_gettime(fd, &old));
  CHECK_EQ(old.it_value.tv_nsec, 0);

  // Expirations add up.
  spec = (struct itimerspec){.it_interval = {0, 2000000}, .it_value = {0, 2000000}};
  start = NowNs(CLOCK_MONOTONIC);
  CHECK_OK(timerfd_settime(fd, 0, &spec, NULL));
  Nap(21);
  CHECK_EQ(read(fd, &count, 8), 8);
  int64_t past = NowNs(CLOCK_MONOTONIC) - start;
  CHECK(count >= 10 && (int64_t)count <= past / 2000000);
  // Disarm: what was not read is forgotten.
  spec = (struct itimerspec){0};
  CHECK_OK(timerfd_settime(fd, 0, &spec, &old));
  CHECK_EQ(old.it_interval.tv_nsec, 2000000);
  CHECK_ERR(read(fd, &count, 8), EAGAIN);
  CHECK_EQ(poll(&one, 1, 0), 0);

  // Absolute: the past expires at once.
  spec.it_value = (struct timespec){0, 1};
  CHECK_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL));
  CHECK_EQ(poll(&one, 1, -1), 1);
  CHECK_EQ(read(fd, &count, 8), 8);
  CHECK_EQ(count, 1);
  int64_t when = NowNs(CLOCK_MONOTONIC) + 10000000;
  spec.it_value = (struct timespec){when / 1000000000, when % 1000000000};
  CHECK_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL));
  CHECK_OK(fcntl(fd, F_SETFL, 0));
  CHECK_EQ(read(fd, &count, 8), 8);  // waits
  CHECK(NowNs(CLOCK_MONOTONIC) >= when);
  // The realtime clock.
  int real = (int)CHECK_OK(timerfd_create(CLOCK_REALTIME, 0));
  when = NowNs(CLOCK_REALTIME) + 5000000;
  spec.it_value = (struct timespec){when / 1000000000, when % 1000000000};
  CHECK_OK(timerfd_settime(real, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &spec, NULL));
  CHECK_EQ(read(real, &count, 8), 8);
  CHECK_OK(timerfd_create(CLOCK_BOOTTIME, 0));

  CHECK_ERR(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0), EINVAL);
  CHECK_ERR(timerfd_create(99, 0), EINVAL);
  CHECK_ERR(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
  spec.it_value.tv_nsec = 1000000000;
  CHECK_ERR(timerfd_settime(fd, 0, &spec, NULL), EINVAL);
  spec.it_value.tv_nsec = 1;
  CHECK_ERR(timerfd_settime(fd, 0x40, &spec, NULL), EINVAL);
  CHECK_ERR(timerfd_settime(-1, 0, &spec, NULL), EBADF);
  CHECK_ERR(timerfd_settime(0, 0, &spec, NULL), EINVAL);
  CHECK_ERR(syscall(SYS_timerfd_settime, fd, 0, NULL, NULL), EFAULT);
  CHECK_ERR(write(fd, &count, 8), EINVAL);
  return 0;
}
