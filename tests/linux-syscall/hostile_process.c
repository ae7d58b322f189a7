// Addresses that do not belong to the program in calls about processes, ids, limits and times:
// EFAULT, never more.
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "proc.h"

#define REFUSED(...)                                                                              \
  do {                                                                                            \
    errno = 0;                                                                                    \
    long result_ = syscall(__VA_ARGS__);                                                          \
    if (result_ != -1 || errno != EFAULT) FAIL("%s gave %ld for %p", #__VA_ARGS__, result_, bad); \
  } while (0)

int main(void) {
  struct timespec zero = {0, 0};
  for (int i = 2; i < kHostileCount; i++) {
    void* bad = (void*)kHostile[i];
    REFUSED(SYS_execve, bad, NULL, NULL);
    REFUSED(SYS_execve, "/proc/self/exe", bad, NULL);
    REFUSED(SYS_execve, "/proc/self/exe", NULL, bad);
    REFUSED(SYS_clone3, bad, 64);
    REFUSED(SYS_getresuid, bad, bad, bad);
    REFUSED(SYS_getresgid, bad, bad, bad);
    REFUSED(SYS_capget, bad, bad);
    REFUSED(SYS_prlimit64, 0, RLIMIT_CORE, NULL, bad);
    REFUSED(SYS_prlimit64, 0, RLIMIT_CORE, bad, NULL);
    REFUSED(SYS_getrusage, RUSAGE_SELF, bad);
    REFUSED(SYS_times, bad);
    REFUSED(SYS_uname, bad);
    REFUSED(SYS_sysinfo, bad);
    REFUSED(SYS_getcpu, bad, NULL, NULL);
    REFUSED(SYS_getrandom, bad, 8, 0);
    REFUSED(SYS_sched_getparam, 0, bad);
    REFUSED(SYS_sched_getaffinity, 0, 128, bad);
    REFUSED(SYS_nanosleep, bad, NULL);
    REFUSED(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, bad, NULL);
    REFUSED(SYS_clock_gettime, CLOCK_PROCESS_CPUTIME_ID, bad);
    REFUSED(SYS_clock_getres, CLOCK_MONOTONIC, bad);
    REFUSED(SYS_setitimer, ITIMER_REAL, bad, NULL);
    REFUSED(SYS_getitimer, ITIMER_REAL, bad);
    REFUSED(SYS_timer_create, CLOCK_MONOTONIC, bad, bad);
    REFUSED(SYS_rt_sigaction, SIGUSR1, bad, NULL, 8);
    REFUSED(SYS_rt_sigaction, SIGUSR1, NULL, bad, 8);
    REFUSED(SYS_rt_sigprocmask, SIG_BLOCK, bad, NULL, 8);
    REFUSED(SYS_rt_sigprocmask, SIG_BLOCK, NULL, bad, 8);
    REFUSED(SYS_rt_sigpending, bad, 8);
    REFUSED(SYS_rt_sigsuspend, bad, 8);
    REFUSED(SYS_rt_sigtimedwait, bad, NULL, &zero, 8);
    REFUSED(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, bad);
    REFUSED(SYS_sigaltstack, bad, NULL);
    REFUSED(SYS_sigaltstack, NULL, bad);
    REFUSED(SYS_futex, kHostile[i] & ~(uintptr_t)3, 0, 0, NULL, NULL, 0);
    REFUSED(SYS_get_robust_list, 0, bad, bad);
  }
  // Structures that begin inside and end outside.
  char* edge = EdgeBuffer(8);
  void* bad = edge;
  REFUSED(SYS_uname, edge);
  REFUSED(SYS_sysinfo, edge);
  REFUSED(SYS_nanosleep, edge, NULL);
  REFUSED(SYS_getrusage, RUSAGE_SELF, edge);
  REFUSED(SYS_rt_sigaction, SIGUSR1, edge, NULL, 8);
  memset(edge, 0, 8);
  CHECK_OK(syscall(SYS_rt_sigprocmask, SIG_BLOCK, edge, NULL, 8));  // exactly fits
  CHECK_OK(syscall(SYS_rt_sigpending, edge, 8));
  return 0;
}
