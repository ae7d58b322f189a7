// setitimer(2), getitimer(2) and alarm(2): real, virtual and profiling; one shot and repeated.
#include "proc.h"

static volatile sig_atomic_t alarms, virtuals, profiles;
static void Count(int number) {
  alarms += number == SIGALRM;
  virtuals += number == SIGVTALRM;
  profiles += number == SIGPROF;
}

int main(void) {
  struct itimerval timer = {{0, 0}, {0, 0}}, old;
  Handle(SIGALRM, Count, SA_RESTART);
  Handle(SIGVTALRM, Count, SA_RESTART);
  Handle(SIGPROF, Count, SA_RESTART);
  for (int which = 0; which < 3; which++) {
    memset(&old, 0xee, sizeof old);
    CHECK_OK(getitimer((__itimer_which_t)which, &old));
    CHECK_EQ(old.it_value.tv_sec | old.it_value.tv_usec | old.it_interval.tv_sec |
                 old.it_interval.tv_usec,
             0);
  }
  CHECK_ERR(getitimer((__itimer_which_t)3, &old), EINVAL);
  CHECK_ERR(setitimer((__itimer_which_t)-1, &timer, NULL), EINVAL);
  timer.it_value.tv_usec = 1000000;
  CHECK_ERR(setitimer(ITIMER_REAL, &timer, NULL), EINVAL);
  timer.it_value.tv_usec = -1;
  CHECK_ERR(setitimer(ITIMER_REAL, &timer, NULL), EINVAL);
  CHECK_ERR(syscall(SYS_getitimer, ITIMER_REAL, BAD_POINTER), EFAULT);

  // One shot.
  timer = (struct itimerval){{0, 0}, {0, 10000}};
  CHECK_OK(setitimer(ITIMER_REAL, &timer, NULL));
  CHECK(EVENTUALLY(alarms == 1));
  CHECK_OK(getitimer(ITIMER_REAL, &old));
  CHECK_EQ(old.it_value.tv_sec | old.it_value.tv_usec, 0);
  // Repeated; stopped; the old setting comes back.
  timer = (struct itimerval){{0, 3000}, {0, 1000}};
  CHECK_OK(setitimer(ITIMER_REAL, &timer, NULL));
  CHECK(EVENTUALLY(alarms >= 5));
  timer = (struct itimerval){{100, 5}, {200, 7}};
  int seen = alarms;
  CHECK_OK(setitimer(ITIMER_REAL, &timer, &old));
  CHECK_EQ(old.it_interval.tv_usec, 3000);
  CHECK(old.it_value.tv_sec == 0 && old.it_value.tv_usec <= 3000);
  CHECK(old.it_value.tv_usec > 0 || alarms > seen);  // 0: it was just about to signal
  CHECK_OK(getitimer(ITIMER_REAL, &old));
  CHECK(old.it_value.tv_sec >= 190 && old.it_value.tv_sec <= 200);
  CHECK_EQ(old.it_interval.tv_sec, 100);
  CHECK_EQ(old.it_interval.tv_usec, 5);
  IN_CHILD({  // not inherited
    CHECK_OK(getitimer(ITIMER_REAL, &old));
    CHECK_EQ(old.it_value.tv_sec, 0);
  });

  // alarm shares it and rounds.
  CHECK(alarm(1000) >= 190);
  CHECK_OK(getitimer(ITIMER_REAL, &old));
  CHECK(old.it_value.tv_sec >= 990 && old.it_interval.tv_sec == 0);
  unsigned rest = alarm(0);
  CHECK(rest >= 990 && rest <= 1000);
  CHECK_EQ(alarm(0), 0);

  // Virtual time runs only while the program computes, profiling time also in the kernel.
  timer = (struct itimerval){{0, 10000}, {0, 10000}};
  CHECK_OK(setitimer(ITIMER_VIRTUAL, &timer, NULL));
  CHECK_OK(setitimer(ITIMER_PROF, &timer, NULL));
  // The least of a few times: an emulated processor is charged for its host.
  int least = INT_MAX;
  for (int i = 0; i < 5 && least > 2; i++) {
    seen = virtuals;
    Nap(60);
    if (virtuals - seen < least) least = virtuals - seen;
  }
  CHECK(least <= 2);
  int64_t end = NowNs(CLOCK_MONOTONIC) + 20000000000;
  volatile unsigned long work = 0;
  while ((virtuals < 3 || profiles < 3) && NowNs(CLOCK_MONOTONIC) < end)
    for (int i = 0; i < 100000; i++) work = work + 1;
  CHECK(virtuals >= 3);
  CHECK(profiles >= 3);
  CHECK(NowNs(CLOCK_PROCESS_CPUTIME_ID) >= 15000000);
  timer = (struct itimerval){{0, 0}, {0, 0}};
  CHECK_OK(setitimer(ITIMER_VIRTUAL, &timer, &old));
  CHECK_EQ(old.it_interval.tv_usec, 10000);
  CHECK_OK(setitimer(ITIMER_PROF, NULL, &old));  // a null pointer stops too
  CHECK_OK(setitimer(ITIMER_PROF, &timer, NULL));

  // By default SIGALRM kills.
  Handle(SIGALRM, SIG_DFL, 0);
  IN_CHILD_KILLED_BY(SIGALRM, {
    ualarm(5000, 0);
    for (;;) pause();
  });
  return 0;
}
