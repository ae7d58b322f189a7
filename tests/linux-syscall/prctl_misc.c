// prctl(2): dumpable, no_new_privs, timer slack, seccomp's mode, THP, tagged addresses; arguments
// that must be zero.
#ifdef __x86_64__
#include <asm/prctl.h>
#endif
#include <sys/prctl.h>

#include "proc.h"

#ifdef __x86_64__
// What /proc/cpuinfo promises, arch_prctl() does.
static void TestCpuidFault(void) {
  CHECK_EQ(syscall(SYS_arch_prctl, ARCH_GET_CPUID, 0), 1);
  static char text[65536];
  ReadText("/proc/cpuinfo", text, sizeof text);
  if (strstr(text, " cpuid_fault")) {
    CHECK_OK(syscall(SYS_arch_prctl, ARCH_SET_CPUID, 1));
  } else {
    CHECK_ERR(syscall(SYS_arch_prctl, ARCH_SET_CPUID, 1), ENODEV);
  }
}
#endif

int main(void) {
  CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
  CHECK_OK(prctl(PR_SET_DUMPABLE, 0));
  CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
  CHECK_ERR(prctl(PR_SET_DUMPABLE, 2), EINVAL);
  CHECK_ERR(prctl(PR_SET_DUMPABLE, -1), EINVAL);
  CHECK_OK(prctl(PR_SET_DUMPABLE, 1));

  int before = (int)CHECK_OK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  CHECK_ERR(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
  CHECK_ERR(prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0), EINVAL);
  CHECK_ERR(prctl(PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0), EINVAL);
  IN_CHILD({
    CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
    IN_CHILD(CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1));
    char text[4096];
    ReadText("/proc/self/status", text, sizeof text);
    CHECK(strstr(text, "NoNewPrivs:\t1\n") != NULL);
  });
  CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), before);

  long slack = CHECK_OK(prctl(PR_GET_TIMERSLACK));
  CHECK(slack > 0);
  CHECK_OK(prctl(PR_SET_TIMERSLACK, 123456));
  CHECK_EQ(prctl(PR_GET_TIMERSLACK), 123456);
  IN_CHILD({
    CHECK_EQ(prctl(PR_GET_TIMERSLACK), 123456);
    CHECK_OK(prctl(PR_SET_TIMERSLACK, 1000));
    CHECK_OK(prctl(PR_SET_TIMERSLACK, 0));  // a child's default is what its creator had
    CHECK_EQ(prctl(PR_GET_TIMERSLACK), 123456);
  });
  CHECK_OK(prctl(PR_SET_TIMERSLACK, 0));  // the default
  CHECK_EQ(prctl(PR_GET_TIMERSLACK), slack);

  CHECK_ERR(prctl(PR_SET_CHILD_SUBREAPER + 10000, 0, 0, 0, 0), EINVAL);
  CHECK_ERR(prctl(PR_SET_SECUREBITS, ~0ul), EPERM);
  CHECK(prctl(PR_GET_SECUREBITS) >= 0);
  CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 0);
  CHECK_ERR(prctl(PR_GET_THP_DISABLE, 1, 0, 0, 0), EINVAL);
  CHECK_EQ(prctl(PR_GET_TIMING), PR_TIMING_STATISTICAL);
  CHECK_OK(prctl(PR_SET_TIMING, PR_TIMING_STATISTICAL));
  CHECK_ERR(prctl(PR_SET_TIMING, 1), EINVAL);
#ifdef __x86_64__
  int tsc = 0;
  CHECK_OK(prctl(PR_GET_TSC, &tsc));
  CHECK_EQ(tsc, PR_TSC_ENABLE);
  CHECK_OK(prctl(PR_SET_TSC, PR_TSC_ENABLE));
  CHECK_ERR(prctl(PR_SET_TSC, 7), EINVAL);
  CHECK_ERR(prctl(PR_GET_TSC, BAD_POINTER), EFAULT);
  TestCpuidFault();
#endif
  return 0;
}
