// execve(2): what a process keeps (ids, directory, umask, limits, timers by setitimer, priority)
// and what it loses.
#include <sys/prctl.h>

#include "proc.h"

static int CheckNew(char** argv) {
  CHECK_EQ(getpid(), atoi(argv[2]));
  CHECK_EQ(getppid(), atoi(argv[3]));
  CHECK_EQ(getpgid(0), getpid());
  CHECK_EQ(umask(0), 035);
  char cwd[PATH_MAX];
  CHECK(getcwd(cwd, sizeof cwd) != NULL);
  CHECK_STR(cwd, "/proc");
  struct rlimit limit;
  CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
  CHECK_EQ(limit.rlim_cur, 77);
  CHECK_EQ(getpriority(PRIO_PROCESS, 0), 19);
  struct itimerval timer;
  CHECK_OK(getitimer(ITIMER_REAL, &timer));
  CHECK(timer.it_value.tv_sec > 500);
  // timer_create's timers and the name are gone, the memory is new.
  struct itimerspec spec;
  CHECK_ERR(syscall(SYS_timer_gettime, atoi(argv[4]), &spec), EINVAL);
  char name[16];
  CHECK_OK(prctl(PR_GET_NAME, name));
  CHECK(strcmp(name, "old name") != 0);
  char* old = (char*)strtoul(argv[5], NULL, 16);
  unsigned char vec;
  CHECK_ERR(mincore(old, 4096, &vec), ENOMEM);
  CHECK_EQ(prctl(PR_GET_KEEPCAPS), 0);
  CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
  int death = -1;
  CHECK_OK(prctl(PR_GET_PDEATHSIG, &death));
  CHECK_EQ(death, SIGKILL);
  return 5;
}

int main(int argc, char** argv, char** envp) {
  if (argc == 6) return CheckNew(argv);
  pid_t parent = getpid();
  pid_t pid = Fork();
  if (pid == 0) {
    char numbers[4][24];
    CHECK_OK(setpgid(0, 0));
    umask(035);
    CHECK_OK(chdir("/proc"));
    struct rlimit limit;
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = 77;
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
    CHECK_OK(setpriority(PRIO_PROCESS, 0, 19));
    CHECK_OK(setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {1000, 0}}, NULL));
    int timer;
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    CHECK_OK(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer));
    CHECK_OK(prctl(PR_SET_NAME, "old name"));
    CHECK_OK(prctl(PR_SET_KEEPCAPS, 1));
    CHECK_OK(prctl(PR_SET_DUMPABLE, 0));
    CHECK_OK(prctl(PR_SET_PDEATHSIG, SIGKILL));
    // Below where any loader would put things by itself.
    char* memory = CHECK_MAP(mmap((void*)0x1230000000, 4096, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    snprintf(numbers[0], 24, "%d", (int)getpid());
    snprintf(numbers[1], 24, "%d", (int)parent);
    snprintf(numbers[2], 24, "%d", timer);
    snprintf(numbers[3], 24, "%lx", (unsigned long)memory);
    execve("/proc/self/exe",
           (char*[]){argv[0], "new", numbers[0], numbers[1], numbers[2], numbers[3], NULL}, envp);
    _exit(99);
  }
  // setpgid on a child that has called execve is EACCES.
  CHECK(EVENTUALLY(setpgid(pid, 0) == -1 && errno == EACCES) || TaskState(pid) == 'Z');
  WAIT_EXIT(pid, 5);
  return 0;
}
