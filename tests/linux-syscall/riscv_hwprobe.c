// riscv_hwprobe(2): keys, unknown keys, sets of processors.
#include "check.h"

#ifndef __riscv
int main(void) { SKIP("riscv64 only"); }
#else
#include <sched.h>
#include <sys/auxv.h>
#include <sys/syscall.h>

struct Pair {
  int64_t key;
  uint64_t value;
};
enum { kNumber = 258, kWhichCpus = 1 };

static long Probe(struct Pair* pairs, size_t count, size_t size, void* cpus, unsigned flags) {
  return syscall(kNumber, pairs, count, size, cpus, flags);
}

int main(void) {
  struct Pair pairs[] = {{3, 77}, {4, 77}, {1000, 77}, {5, 77}, {-1, 77}, {7, 77}};
  CHECK_OK(Probe(pairs, 6, 0, NULL, 0));
  CHECK_EQ(pairs[0].key, 3);
  CHECK_EQ(pairs[0].value, 1);      // the base integer set, M and A
  CHECK_EQ(pairs[1].value & 3, 3);  // F and D, C
  CHECK_EQ(pairs[1].value >> 2 & 1, getauxval(AT_HWCAP) >> ('v' - 'a') & 1);
  CHECK_EQ(pairs[2].key, -1);  // one that nobody knows
  CHECK_EQ(pairs[2].value, 0);
  CHECK_EQ(pairs[3].key, 5);
  CHECK_EQ(pairs[4].key, -1);
  CHECK_EQ(pairs[5].key, 7);
  CHECK(pairs[5].value > (uintptr_t)&pairs);

  cpu_set_t cpus;
  CHECK_OK(sched_getaffinity(0, sizeof cpus, &cpus));
  CHECK_OK(Probe(pairs, 1, sizeof cpus, &cpus, 0));
  CPU_ZERO(&cpus);
  CHECK_ERR(Probe(pairs, 1, sizeof cpus, &cpus, 0), EINVAL);
  CHECK_ERR(Probe(pairs, 1, 0, NULL, 0x80), EINVAL);
  CHECK_ERR(Probe((struct Pair*)8, 1, 0, NULL, 0), EFAULT);
  CHECK_OK(Probe(NULL, 0, 0, NULL, 0));

  // Which processors have what the pairs say: all or none.
  struct Pair wanted[] = {{4, 1}};
  CPU_ZERO(&cpus);
  CHECK_OK(Probe(wanted, 1, sizeof cpus, &cpus, kWhichCpus));
  CHECK(CPU_COUNT(&cpus) > 0);
  struct Pair odd[] = {{3, 1}, {1000, 0}};
  CHECK_OK(Probe(odd, 2, sizeof cpus, &cpus, kWhichCpus));
  CHECK_EQ(CPU_COUNT(&cpus), 0);
  CHECK_EQ(odd[1].key, -1);
  CHECK_ERR(Probe(wanted, 1, 0, NULL, kWhichCpus), EINVAL);
  return 0;
}
#endif
