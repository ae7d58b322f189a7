// getpriority(2), setpriority(2), nice(2): ranges, clamping, inheritance, who may.
#include "proc.h"

static void Unprivileged(void) {
  CHECK_OK(setpriority(PRIO_PROCESS, 0, 19));
  struct rlimit limit;
  CHECK_OK(getrlimit(RLIMIT_NICE, &limit));
  if (limit.rlim_cur == 0) {
    CHECK_ERR(setpriority(PRIO_PROCESS, 0, 18), EACCES);
    errno = 0;
    CHECK_EQ(nice(-1), -1);
    CHECK_EQ(errno, EPERM);
  }
  if (getpid() != 1 && getppid() != 1) CHECK_ERR(setpriority(PRIO_PROCESS, 1, 19), EPERM);
}

int main(void) {
  errno = 0;
  int base = getpriority(PRIO_PROCESS, 0);
  CHECK_EQ(errno, 0);
  CHECK_EQ(syscall(SYS_getpriority, PRIO_PROCESS, 0),
           20 - base);  // the call itself is never negative
  CHECK_ERR(getpriority((__priority_which_t)3, 0), EINVAL);
  CHECK_ERR(getpriority((__priority_which_t)-1, 0), EINVAL);
  CHECK_ERR(getpriority(PRIO_PROCESS, 0x3fffffff), ESRCH);
  CHECK_ERR(getpriority(PRIO_PGRP, 0x3fffffff), ESRCH);
  CHECK_ERR(setpriority(PRIO_PROCESS, 0x3fffffff, 0), ESRCH);
  CHECK_ERR(setpriority((__priority_which_t)3, 0, 0), EINVAL);
  IN_CHILD({
    CHECK_OK(setpgid(0, 0));
    CHECK_OK(setpriority(PRIO_PROCESS, 0, 10));
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), 10);
    CHECK_EQ(nice(3), 13);
    CHECK_EQ(nice(0), 13);
    IN_CHILD({
      CHECK_EQ(getpriority(PRIO_PROCESS, getpid()), 13);
      CHECK_OK(setpriority(PRIO_PGRP, 0, 15));  // all of the group
    });
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), 15);
    CHECK_EQ(getpriority(PRIO_PGRP, 0), 15);
    CHECK_OK(setpriority(PRIO_PROCESS, 0, 100));  // clamped
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), 19);
    char text[1024];
    ReadText("/proc/self/stat", text, sizeof text);
    int nice_field = -99;
    CHECK_EQ(
        sscanf(strrchr(text, ')'),
               ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %d", &nice_field),
        1);
    CHECK_EQ(nice_field, 19);
  });
  CHECK_EQ(getpriority(PRIO_PROCESS, 0), base);
  IN_CHILD(BecomeNobody(), Unprivileged());
  return 0;
}
