// getrusage(2): times, faults and context switches of the process and of one thread.
#include "proc.h"

static int64_t Us(struct timeval time) { return time.tv_sec * 1000000LL + time.tv_usec; }
static int64_t Cpu(int who) {
  struct rusage usage;
  CHECK_OK(getrusage((__rusage_who_t)who, &usage));
  return Us(usage.ru_utime) + Us(usage.ru_stime);
}

static void* Idle(void* used) {
  *(int64_t*)used = Cpu(RUSAGE_THREAD);
  CHECK(Cpu(RUSAGE_SELF) >= 40000);
  return used;
}

// In a child: the peak of what ran before exec counts as the program's own.
static void Memory(void) {
  struct rusage before, after;
  CHECK_OK(getrusage(RUSAGE_SELF, &before));
  CHECK(before.ru_maxrss > 100);
  size_t size = 16 << 20;
  char* memory =
      CHECK_MAP(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  memset(memory, 1, size);
  CHECK_OK(getrusage(RUSAGE_SELF, &after));
  CHECK(after.ru_minflt > before.ru_minflt);
  CHECK(after.ru_maxrss >= before.ru_maxrss + 8000);
  CHECK_OK(munmap(memory, size));
  long peak = after.ru_maxrss;
  CHECK_OK(getrusage(RUSAGE_SELF, &after));
  CHECK(after.ru_maxrss >=
        peak - 2000);  // the highest, not the present (counters are kept in batches)
}

int main(void) {
  while (NowNs(CLOCK_PROCESS_CPUTIME_ID) < 80000000) {
  }
  int64_t thread = Cpu(RUSAGE_THREAD), all = Cpu(RUSAGE_SELF);
  CHECK(thread >= 40000);
  CHECK(all >= thread);
  // A new thread has used hardly any. The least of a few: an emulated processor is charged for its
  // host.
  int64_t least = INT64_MAX;
  for (int i = 0; i < 5; i++) {
    int64_t used;
    JoinThread(StartThread(Idle, &used));
    if (used < least) least = used;
  }
  CHECK(least < 40000);
  CHECK_EQ(Cpu(RUSAGE_CHILDREN), 0);
  IN_CHILD(Memory());

  struct rusage before, after;
  CHECK_OK(getrusage(RUSAGE_SELF, &after));
  for (int i = 0; i < 20; i++) Nap(1);
  before = after;
  CHECK_OK(getrusage(RUSAGE_SELF, &after));
  CHECK(after.ru_nvcsw >= before.ru_nvcsw + 10);
  CHECK_ERR(syscall(SYS_getrusage, 9, &after), EINVAL);
  return 0;
}
