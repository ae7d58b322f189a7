// Stop and continue without a handler: sleeping calls go on, with what is left of their time
// (restart_syscall).
#include <linux/futex.h>
#include <sys/epoll.h>

#include "proc.h"

static int ends[2];

static long Nanosleep(void) {
  struct timespec time = {0, 250000000};
  return nanosleep(&time, NULL);
}
static long ClockNanosleep(void) {
  struct timespec time;
  CHECK_OK(clock_gettime(CLOCK_MONOTONIC, &time));
  time.tv_nsec += 250000000;
  if (time.tv_nsec >= 1000000000) {
    time.tv_nsec -= 1000000000;
    time.tv_sec++;
  }
  return syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}
static long Poll(void) {
  struct pollfd item = {.fd = ends[0], .events = POLLIN};
  return poll(&item, 1, 250);
}
static long FutexWait(void) {
  static uint32_t word;
  struct timespec time = {0, 250000000};
  long result = Futex(&word, FUTEX_WAIT_PRIVATE, 0, &time, NULL, 0);
  return result == -1 && errno == ETIMEDOUT ? 0 : -1;
}
static long EpollWait(void) {
  struct epoll_event event = {.events = EPOLLIN};
  int epoll = (int)CHECK_OK(epoll_create1(0));
  CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event));
  long result = epoll_wait(epoll, &event, 1, 250);
  return result == -1 && errno == EINTR ? 0 : result;  // Linux interrupts this one (signal(7))
}

static void Check(long (*call)(void), bool full_time) {
  pid_t pid = Fork();
  if (pid == 0) {
    int64_t start = NowNs(CLOCK_MONOTONIC);
    CHECK_EQ(call(), 0);
    CHECK(!full_time || NowNs(CLOCK_MONOTONIC) - start >= 250000000);
    _exit(0);
  }
  int status;
  for (int i = 0; i < 2; i++) {
    LetBlock(pid);
    CHECK_OK(kill(pid, SIGSTOP));
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    if (WIFEXITED(status)) {
      CHECK_EQ(status, 0);
      return;
    }
    CHECK_OK(kill(pid, SIGCONT));
  }
  WAIT_EXIT(pid, 0);
}

int main(void) {
  CHECK_OK(pipe(ends));
  Check(Nanosleep, true);
  Check(ClockNanosleep, true);
  Check(Poll, true);
  Check(FutexWait, true);
  Check(EpollWait, false);
  // Called out of the blue there is nothing to restart.
  CHECK_ERR(syscall(SYS_restart_syscall), EINTR);
  return 0;
}
