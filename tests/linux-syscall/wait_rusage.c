// Resource usage of children: with wait4, in RUSAGE_CHILDREN and times(2), and only after they were
// waited for.
#include <sys/times.h>

#include "proc.h"

static void Burn(int64_t cpu_ns) {
  while (NowNs(CLOCK_PROCESS_CPUTIME_ID) < cpu_ns) {
  }
}

static int64_t Us(struct timeval time) { return time.tv_sec * 1000000LL + time.tv_usec; }

int main(void) {
  struct rusage before, after, child;
  CHECK_OK(getrusage(RUSAGE_CHILDREN, &before));
  CHECK_EQ(Us(before.ru_utime), 0);
  pid_t pid = Fork();
  if (pid == 0) {
    Burn(60000000);
    char* touched = malloc(8 << 20);
    memset(touched, 1, 8 << 20);
    __asm__ volatile("" : : "r"(touched) : "memory");
    _exit(0);
  }
  siginfo_t info;
  CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
  CHECK_OK(getrusage(RUSAGE_CHILDREN, &after));
  CHECK_EQ(Us(after.ru_utime) + Us(after.ru_stime), 0);  // not waited for yet
  int status;
  CHECK_EQ(wait4(pid, &status, 0, &child), pid);
  CHECK_EQ(status, 0);
  CHECK(Us(child.ru_utime) + Us(child.ru_stime) >= 30000);
  CHECK(Us(child.ru_utime) + Us(child.ru_stime) < 60000000);
  CHECK(child.ru_minflt > 0);
  CHECK(child.ru_maxrss > 4000);
  CHECK_OK(getrusage(RUSAGE_CHILDREN, &after));
  CHECK(Us(after.ru_utime) + Us(after.ru_stime) >= 30000);
  CHECK(after.ru_maxrss > 4000);

  struct tms times_now;
  clock_t now = times(&times_now);
  CHECK(now != (clock_t)-1);
  CHECK(times_now.tms_cutime + times_now.tms_cstime >= 2);  // hundredths of a second
  CHECK(times(&times_now) >= now);

  // A grandchild's time comes up through the one who waited for it.
  pid = Fork();
  if (pid == 0) {
    pid_t inner = Fork();
    if (inner == 0) {
      Burn(60000000);
      _exit(0);
    }
    WAIT_EXIT(inner, 0);
    _exit(0);
  }
  struct rusage total;
  CHECK_EQ(wait4(pid, &status, 0, &total), pid);
  CHECK_EQ(status, 0);
  CHECK(Us(total.ru_utime) + Us(total.ru_stime) >= 30000);

  // Nobody waits for the children of who ignores SIGCHLD: their time counts nowhere.
  IN_CHILD({
    Handle(SIGCHLD, SIG_IGN, 0);
    const pid_t unwaited = Fork();
    if (unwaited == 0) {
      Burn(60000000);
      _exit(0);
    }
    CHECK_ERR(waitpid(unwaited, NULL, 0), ECHILD);
    struct rusage children;
    CHECK_OK(getrusage(RUSAGE_CHILDREN, &children));
    CHECK_EQ(Us(children.ru_utime) + Us(children.ru_stime), 0);
    CHECK_EQ(children.ru_maxrss, 0);
  });

  CHECK_ERR(getrusage(5, &total), EINVAL);
  CHECK_ERR(syscall(SYS_getrusage, RUSAGE_SELF, BAD_POINTER), EFAULT);
  CHECK_ERR(syscall(SYS_times, BAD_POINTER), EFAULT);
  return 0;
}
