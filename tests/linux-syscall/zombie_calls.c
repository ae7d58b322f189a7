// What is asked of a process that has ended and is not yet waited for, and of a first thread that
// has ended before the others: both are still there.
#include <linux/capability.h>
#include <sys/uio.h>

#include "proc.h"

enum { kKcmpVm = 1, kKcmpFile = 0, kIoProcess = 1, kIoBestEffort = 2 << 13 };

struct Attributes {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
};

static void CheckScheduling(pid_t pid) {
  struct sched_param param = {0};
  CHECK_OK(sched_getparam(pid, &param));
  CHECK_EQ(sched_getscheduler(pid), SCHED_OTHER);
  CHECK_OK(sched_setscheduler(pid, SCHED_BATCH, &param));
  CHECK_EQ(sched_getscheduler(pid), SCHED_BATCH);
  CHECK_OK(sched_setparam(pid, &param));
  struct Attributes attributes = {.size = sizeof attributes};
  CHECK_OK(syscall(SYS_sched_getattr, pid, &attributes, sizeof attributes, 0));
  CHECK_EQ(attributes.policy, SCHED_BATCH);
  CHECK_OK(syscall(SYS_sched_setattr, pid, &attributes, 0));
  struct timespec slice;
  CHECK_OK(sched_rr_get_interval(pid, &slice));
  cpu_set_t set;
  CHECK_OK(sched_getaffinity(pid, sizeof set, &set));
  CHECK_OK(sched_setaffinity(pid, sizeof set, &set));
  CHECK_OK(setpriority(PRIO_PROCESS, (id_t)pid, 5));
  CHECK_EQ(getpriority(PRIO_PROCESS, (id_t)pid), 5);
  CHECK_EQ(syscall(SYS_ioprio_get, kIoProcess, pid), 0);
  CHECK_OK(syscall(SYS_ioprio_set, kIoProcess, pid, kIoBestEffort | 3));
  CHECK_EQ(syscall(SYS_ioprio_get, kIoProcess, pid), 0);  // its context went with it
}

static void CheckIdentity(pid_t pid) {
  CHECK_OK(kill(pid, 0));
  CHECK_OK(syscall(SYS_tgkill, pid, pid, 0));
  CHECK_OK(syscall(SYS_tkill, pid, 0));
  if (pid != getpid()) CHECK_ERR(syscall(SYS_tgkill, getpid(), pid, 0), ESRCH);
  CHECK_EQ(getpgid(pid), getpgrp());
  CHECK_EQ(getsid(pid), getsid(0));
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, pid};
  struct __user_cap_data_struct theirs[2], own[2];
  CHECK_OK(syscall(SYS_capget, &header, theirs));
  header.pid = 0;
  CHECK_OK(syscall(SYS_capget, &header, own));
  CHECK_MEM(theirs, own, sizeof own);
}

static void CheckResources(pid_t pid) {
  struct rlimit limit;
  CHECK_OK(prlimit(pid, RLIMIT_NOFILE, NULL, &limit));
  CHECK_OK(prlimit(pid, RLIMIT_NOFILE, &limit, NULL));
  void* head = BAD_POINTER;
  size_t size = 0;
  CHECK_OK(syscall(SYS_get_robust_list, pid, &head, &size));
  CHECK(head == NULL && size != 0);
  char byte;
  struct iovec here = {&byte, 1};
  CHECK_ERR(process_vm_readv(pid, &here, 1, &here, 1, 0), ESRCH);
  const long same = syscall(SYS_kcmp, pid, pid, kKcmpVm, 0, 0);
  if (same == -1 && errno == ENOSYS) return;
  CHECK_EQ(same, 0);
  CHECK_ERR(syscall(SYS_kcmp, pid, pid, kKcmpFile, 0, 0), EBADF);
  CHECK_OK(fcntl(0, F_SETOWN, pid));
  struct f_owner_ex owner = {F_OWNER_TID, pid};
  CHECK_OK(fcntl(0, F_SETOWN_EX, &owner));
  CHECK_OK(fcntl(0, F_SETOWN, 0));
}

static void CheckAll(pid_t pid) {
  CheckScheduling(pid);
  CheckIdentity(pid);
  CheckResources(pid);
}

static void CheckProc(pid_t pid) {
  char path[64], text[4096];
  snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
  ReadText(path, text, sizeof text);
  CHECK_STR(text, "zombie_calls\n");
  snprintf(path, sizeof path, "/proc/%d/task/%d/stat", (int)pid, (int)pid);
  ReadText(path, text, sizeof text);
  CHECK(strstr(text, ") Z ") != NULL);
  snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
  DIR* dir = opendir(path);
  int entries = 0;
  while (readdir(dir)) entries++;
  CHECK_EQ(entries, 3);
  closedir(dir);
}

static pid_t first;

static void* AfterTheFirst(void* arg) {
  AWAIT_STATE(first, 'Z');
  CheckAll(first);
  CHECK_EQ(getpriority(PRIO_PROCESS, 0), 0);
  exit(0);
  return arg;
}

int main(void) {
  CHECK_OK(sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0}));
  pid_t pid = Fork();
  if (pid == 0) _exit(3);
  AWAIT_STATE(pid, 'Z');
  CheckAll(pid);
  CheckProc(pid);
  // Process groups and users count it, too.
  CHECK_OK(setpgid(pid, pid));
  CHECK_OK(setpriority(PRIO_PGRP, (id_t)pid, 7));
  CHECK_EQ(getpriority(PRIO_PGRP, (id_t)pid), 7);
  if (IsRoot()) {
    IN_CHILD(BecomeNobody(); CHECK_ERR(kill(pid, 0), EPERM); cpu_set_t set;
             CHECK_OK(sched_getaffinity(pid, sizeof set, &set));
             CHECK_ERR(sched_setaffinity(pid, sizeof set, &set), EPERM);
             CHECK_ERR(prlimit(pid, RLIMIT_NOFILE, NULL, &(struct rlimit){0}), EPERM));
  }
  WAIT_EXIT(pid, 3);
  struct sched_param param = {0};
  CHECK_ERR(sched_getparam(pid, &param), ESRCH);
  CHECK_ERR(getpriority(PRIO_PROCESS, (id_t)pid), ESRCH);
  CHECK_ERR(prlimit(pid, RLIMIT_NOFILE, NULL, &(struct rlimit){0}), ESRCH);

  pid = Fork();
  if (pid == 0) {
    first = getpid();
    StartThread(AfterTheFirst, NULL);
    syscall(SYS_exit, 0);
  }
  WAIT_EXIT(pid, 0);
  return 0;
}
