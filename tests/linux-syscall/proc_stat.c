// /proc/PID/stat, status and limits: fields that ps, top and C libraries read.
#include "proc.h"

static char text[65536];

static long Field(int number) {  // counted from 1 as in proc(5), from 3 on
  char* at = strrchr(text, ')') + 2;
  for (int i = 3; i < number; i++) at = strchr(at, ' ') + 1;
  return strtol(at, NULL, 10);
}

static long Status(const char* name) {
  char key[64];
  snprintf(key, sizeof key, "\n%s:", name);
  char* at = strstr(text, key);
  if (!at) FAIL("no %s", name);
  return strtol(at + strlen(key), NULL, 10);
}

static uint64_t Hex(const char* name) {
  char key[64];
  snprintf(key, sizeof key, "\n%s:", name);
  char* at = strstr(text, key);
  if (!at) FAIL("no %s", name);
  return strtoull(at + strlen(key), NULL, 16);
}

static void Nothing(int number) { (void)number; }
static void* Stay(void* arg) {
  while (!*(atomic_bool*)arg) Nap(1);
  return NULL;
}

int main(void) {
  atomic_bool stop = false;
  Mask(SIG_BLOCK, SIGUSR1);
  Mask(SIG_BLOCK, SIGTERM);
  pthread_t thread = StartThread(Stay, &stop);
  ReadText("/proc/self/stat", text, sizeof text);
  CHECK_EQ(atoi(text), getpid());
  CHECK(strstr(text, " (proc_stat) R ") != NULL);
  CHECK_EQ(Field(4), getppid());
  CHECK_EQ(Field(5), getpgrp());
  CHECK_EQ(Field(6), getsid(0));
  CHECK_EQ(Field(19), getpriority(PRIO_PROCESS, 0));
  CHECK_EQ(Field(18), 20 + Field(19));
  CHECK_EQ(Field(20), 2);  // threads
  long start = Field(22);
  double up;
  char uptime[64];
  ReadText("/proc/uptime", uptime, sizeof uptime);
  CHECK_EQ(sscanf(uptime, "%lf", &up), 1);
  CHECK(start >= 0 && start <= (long)(up * 100) + 100);
  CHECK(Field(23) > 4096);  // size in bytes
  CHECK(Field(24) > 0);     // resident pages
  int spaces = 0;
  for (char* at = strrchr(text, ')'); *at; at++) spaces += *at == ' ';
  CHECK_EQ(spaces, 50);  // 52 fields
  CHECK_EQ(text[strlen(text) - 1], '\n');

  // Times grow as we compute.
  while (NowNs(CLOCK_PROCESS_CPUTIME_ID) < 60000000) {
  }
  ReadText("/proc/self/stat", text, sizeof text);
  CHECK(Field(14) + Field(15) >= 3);

  Handle(SIGUSR2, Nothing, 0);
  Handle(SIGHUP, SIG_IGN, 0);
  CHECK_OK(kill(getpid(), SIGUSR1));
  CHECK_OK(syscall(SYS_tgkill, getpid(), Gettid(), SIGTERM));
  ReadText("/proc/self/status", text, sizeof text);
  CHECK(strncmp(text, "Name:\tproc_stat\n", 16) == 0);
  CHECK(strstr(text, "\nState:\tR (running)\n") != NULL);
  CHECK_EQ(Status("Tgid"), getpid());
  CHECK_EQ(Status("Pid"), getpid());
  CHECK_EQ(Status("PPid"), getppid());
  CHECK_EQ(Status("TracerPid"), 0);
  CHECK_EQ(Status("Uid"), getuid());
  CHECK_EQ(Status("Gid"), getgid());
  CHECK_EQ(Status("Threads"), 2);
  CHECK(Status("VmSize") >= Status("VmRSS") && Status("VmRSS") > 0);
  CHECK(Status("VmPeak") >= Status("VmSize"));
  CHECK(Status("VmHWM") >= Status("VmRSS") - 200);
  CHECK(Hex("SigBlk") & 1u << (SIGUSR1 - 1));
  CHECK(Hex("ShdPnd") & 1u << (SIGUSR1 - 1));
  CHECK(Hex("SigPnd") & 1u << (SIGTERM - 1));
  CHECK(Hex("SigCgt") & 1u << (SIGUSR2 - 1));
  CHECK(Hex("SigIgn") & 1u << (SIGHUP - 1));
  CHECK(strstr(text, "\nCapEff:\t") && strstr(text, "\nSeccomp:\t") &&
        strstr(text, "\nCpus_allowed:\t"));
  stop = true;
  JoinThread(thread);

  // Another process, asleep and stopped.
  pid_t pid = Fork();
  if (pid == 0)
    for (;;) pause();
  AWAIT_STATE(pid, 'S');
  CHECK_OK(kill(pid, SIGSTOP));
  AWAIT_STATE(pid, 'T');
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
  ReadText(path, text, sizeof text);
  CHECK(strstr(text, "\nState:\tT (stopped)\n") != NULL);
  CHECK_EQ(Status("PPid"), getpid());
  CHECK_OK(kill(pid, SIGKILL));
  WAIT_SIGNAL(pid, SIGKILL);
  CHECK_ERR(open(path, O_RDONLY), ENOENT);

  ReadText("/proc/self/limits", text, sizeof text);
  struct rlimit limit;
  CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
  char wanted[128];
  snprintf(wanted, sizeof wanted, "Max open files            %-20llu %-20llu files",
           (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
  CHECK(strstr(text, wanted) != NULL);
  CHECK(strncmp(text, "Limit                     Soft Limit           Hard Limit           Units",
                73) == 0);
  return 0;
}
