// prlimit64(2), getrlimit(2), setrlimit(2): all resources, rules for raising, inheritance, other
// processes.
#include "proc.h"

static long Prlimit(pid_t pid, int resource, const void* fresh, void* old) {
  return syscall(SYS_prlimit64, pid, resource, fresh, old);
}

static void Unprivileged(void) {
  struct rlimit limit;
  CHECK_OK(getrlimit(RLIMIT_CORE, &limit));
  limit.rlim_max = limit.rlim_cur = 4096;
  CHECK_OK(setrlimit(RLIMIT_CORE, &limit));
  limit.rlim_max = 8192;
  CHECK_ERR(setrlimit(RLIMIT_CORE, &limit), EPERM);
  limit.rlim_max = 100;
  limit.rlim_cur = 200;
  CHECK_ERR(setrlimit(RLIMIT_CORE, &limit), EINVAL);
  limit.rlim_cur = 0;
  CHECK_OK(setrlimit(RLIMIT_CORE, &limit));
  CHECK_OK(getrlimit(RLIMIT_CORE, &limit));
  CHECK_EQ(limit.rlim_cur, 0);
  CHECK_EQ(limit.rlim_max, 100);
  limit.rlim_cur = 100;
  CHECK_OK(setrlimit(RLIMIT_CORE, &limit));
}

int main(void) {
  struct rlimit limit, again;
  for (int resource = 0; resource < 16; resource++) {
    CHECK_OK(Prlimit(0, resource, NULL, &limit));
    CHECK(limit.rlim_cur <= limit.rlim_max);
    CHECK_OK(getrlimit((__rlimit_resource_t)resource, &again));
    CHECK_MEM(&limit, &again, sizeof limit);
    CHECK_OK(Prlimit(getpid(), resource, &limit, NULL));
  }
  CHECK_ERR(Prlimit(0, 16, NULL, &limit), EINVAL);
  CHECK_ERR(Prlimit(0, -1, NULL, &limit), EINVAL);
  CHECK_ERR(Prlimit(0x3fffffff, RLIMIT_CORE, NULL, &limit), ESRCH);
  CHECK_ERR(Prlimit(0, RLIMIT_CORE, NULL, BAD_POINTER), EFAULT);
  CHECK_ERR(Prlimit(0, RLIMIT_CORE, BAD_POINTER, NULL), EFAULT);
  CHECK_OK(Prlimit(0, RLIMIT_CORE, NULL, NULL));

  // The old value comes back, the new one is inherited and survives.
  IN_CHILD({
    struct rlimit old, fresh = {3, 17};
    CHECK_OK(Prlimit(0, RLIMIT_CORE, &(struct rlimit){5, 17}, NULL));
    CHECK_OK(Prlimit(0, RLIMIT_CORE, &fresh, &old));
    CHECK_EQ(old.rlim_cur, 5);
    CHECK_EQ(old.rlim_max, 17);
    IN_CHILD({
      CHECK_OK(getrlimit(RLIMIT_CORE, &old));
      CHECK_EQ(old.rlim_cur, 3);
      CHECK_EQ(old.rlim_max, 17);
    });
  });
  // A child's limits from outside.
  pid_t pid = Fork();
  if (pid == 0)
    for (;;) pause();
  CHECK_OK(Prlimit(pid, RLIMIT_CORE, &(struct rlimit){1, 2}, NULL));
  CHECK_OK(Prlimit(pid, RLIMIT_CORE, NULL, &again));
  CHECK_EQ(again.rlim_cur, 1);
  CHECK_EQ(again.rlim_max, 2);
  char path[64], text[4096];
  snprintf(path, sizeof path, "/proc/%d/limits", (int)pid);
  ReadText(path, text, sizeof text);
  CHECK(strstr(text, "Max core file size        1                    2                    bytes") !=
        NULL);
  CHECK_OK(kill(pid, SIGKILL));
  WAIT_SIGNAL(pid, SIGKILL);

  IN_CHILD(BecomeNobody(), Unprivileged());
  if (!IsRoot() && getpid() != 1) CHECK_ERR(Prlimit(1, RLIMIT_CORE, NULL, &limit), EPERM);
  return 0;
}
