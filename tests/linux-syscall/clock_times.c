// clock_gettime(2), clock_getres(2), gettimeofday(2), time(2): every clock, through the C library
// and the call itself.
#include "proc.h"

static int64_t Raw(clockid_t clock) {
  struct timespec now;
  CHECK_OK(syscall(SYS_clock_gettime, clock, &now));
  CHECK(now.tv_nsec >= 0 && now.tv_nsec < 1000000000);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void* Burn(void* arg) {
  while (NowNs(CLOCK_THREAD_CPUTIME_ID) < 30000000) {
  }
  CHECK(NowNs(CLOCK_PROCESS_CPUTIME_ID) >= 30000000);
  return arg;
}

static void* Stay(void* arg) {
  while (!*(atomic_bool*)arg) Nap(1);
  return NULL;
}

// Processor time that is not used: by one who sleeps, by one who waits for another that does use
// some, by another that sleeps.
static int64_t Sleeping(void) {
  const int64_t before = NowNs(CLOCK_PROCESS_CPUTIME_ID);
  Nap(30);
  return NowNs(CLOCK_PROCESS_CPUTIME_ID) - before;
}

static int64_t Waiting(void) {
  const int64_t before = NowNs(CLOCK_THREAD_CPUTIME_ID);
  JoinThread(StartThread(Burn, NULL));
  return NowNs(CLOCK_THREAD_CPUTIME_ID) - before;
}

static int64_t Another(void) {
  atomic_bool stop = false;
  pthread_t thread = StartThread(Stay, &stop);
  clockid_t clock;
  CHECK_EQ(pthread_getcpuclockid(thread, &clock), 0);
  const int64_t used = NowNs(clock);
  stop = true;
  JoinThread(thread);
  return used;
}

static int64_t Child(void) {
  pid_t pid = Fork();
  if (pid == 0)
    for (;;) pause();
  clockid_t clock;
  CHECK_EQ(clock_getcpuclockid(pid, &clock), 0);
  const int64_t used = NowNs(clock);
  CHECK_OK(kill(pid, SIGKILL));
  WAIT_SIGNAL(pid, SIGKILL);
  return used;
}

// How far the coarse clock is behind.
static int64_t Behind(void) {
  const int64_t coarse = NowNs(CLOCK_MONOTONIC_COARSE);
  return NowNs(CLOCK_MONOTONIC) - coarse;
}

// The least of a few times: where a processor is emulated, what its host takes away counts as used,
// and any machine may stand still between two calls.
static int64_t Least(int64_t (*used)(void)) {
  int64_t least = used();
  for (int i = 0; i < 4; i++) {
    const int64_t again = used();
    if (again < least) least = again;
  }
  return least;
}

int main(void) {
  static const clockid_t clocks[] = {
      CLOCK_REALTIME,         CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE,
      CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME,  CLOCK_TAI,           CLOCK_PROCESS_CPUTIME_ID,
      CLOCK_THREAD_CPUTIME_ID};
  for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
    clockid_t clock = clocks[i];
    struct timespec resolution = {-1, -1};
    CHECK_OK(clock_getres(clock, &resolution));
    CHECK_EQ(resolution.tv_sec, 0);
    CHECK(resolution.tv_nsec > 0 && resolution.tv_nsec <= 10000000);
    CHECK_OK(syscall(SYS_clock_getres, clock, NULL));
    int64_t last = NowNs(clock);
    for (int j = 0; j < 300; j++) {  // the library's fast way and the call agree, and never go back
      int64_t raw = Raw(clock), fast = NowNs(clock);
      if (clock != CLOCK_REALTIME && clock != CLOCK_TAI && clock != CLOCK_REALTIME_COARSE) {
        CHECK(raw >= last);
        CHECK(fast >= raw);
      }
      last = fast;
    }
    CHECK_ERR(syscall(SYS_clock_gettime, clock, BAD_POINTER), EFAULT);
    CHECK_ERR(syscall(SYS_clock_getres, clock, BAD_POINTER), EFAULT);
  }
  struct timespec now;
  CHECK_ERR(clock_gettime(99, &now), EINVAL);
  CHECK_ERR(clock_getres(99, &now), EINVAL);
  CHECK_ERR(clock_gettime(-1, &now), EINVAL);

  // Time passes in those that run while we sleep; processor time hardly does.
  int64_t mono = NowNs(CLOCK_MONOTONIC), boot = NowNs(CLOCK_BOOTTIME),
          raw = NowNs(CLOCK_MONOTONIC_RAW);
  CHECK(Least(Sleeping) < 20000000);
  CHECK(NowNs(CLOCK_MONOTONIC) - mono >= 30000000);
  CHECK(NowNs(CLOCK_BOOTTIME) - boot >= 30000000);
  CHECK(NowNs(CLOCK_MONOTONIC_RAW) - raw >= 29000000);
  mono = NowNs(CLOCK_MONOTONIC);
  CHECK(NowNs(CLOCK_BOOTTIME) >= mono - 1000000);
  CHECK(Least(Behind) < 100000000);

  // The wall clock is the same everywhere, and after 2020.
  struct timeval day;
  struct timezone zone;
  const int64_t earlier = NowNs(CLOCK_REALTIME);
  CHECK_OK(gettimeofday(&day, &zone));
  CHECK_OK(syscall(SYS_gettimeofday, NULL, NULL));
  const time_t seconds = time(NULL);
  const int64_t later = NowNs(CLOCK_REALTIME), told_us = day.tv_sec * 1000000ll + day.tv_usec;
  CHECK(told_us >= earlier / 1000 - 1 && told_us <= later / 1000 + 1);
  CHECK(seconds >= earlier / 1000000000 - 1 && seconds <= later / 1000000000);
  CHECK(seconds > 1577836800);
  CHECK_ERR(syscall(SYS_gettimeofday, BAD_POINTER, NULL), EFAULT);
#ifdef SYS_time
  time_t stored = 0;
  long told = syscall(SYS_time, &stored);
  CHECK_EQ(told, stored);
  CHECK_ERR(syscall(SYS_time, BAD_POINTER), EFAULT);
#endif

  // Processor time of threads and of other processes.
  const int64_t cpu = NowNs(CLOCK_PROCESS_CPUTIME_ID);
  CHECK(Least(Waiting) < 30000000);
  CHECK(NowNs(CLOCK_PROCESS_CPUTIME_ID) - cpu >= 5 * 30000000);
  CHECK(Least(Another) < 30000000);
  clockid_t clock;
  CHECK_EQ(clock_getcpuclockid(0, &clock), 0);
  CHECK(NowNs(clock) >= 30000000);
  CHECK(Least(Child) < 5 * 30000000);  // not its parent's
  CHECK_EQ(clock_getcpuclockid(200000000, &clock), ESRCH);

  // Only the privileged set clocks; nonsense is refused for all.
  CHECK_ERR(clock_settime(CLOCK_MONOTONIC, &now), EINVAL);
  now = (struct timespec){0, 1000000000};
  errno = 0;
  CHECK_EQ(clock_settime(CLOCK_REALTIME, &now), -1);
  CHECK(errno == EINVAL || errno == EPERM);
  return 0;
}
