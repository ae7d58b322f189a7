// sched_getaffinity(2), sched_setaffinity(2), getcpu(2) and the numbers that agree with them.
#include <sys/sysinfo.h>

#include "proc.h"

int main(void) {
  unsigned long mask[128];
  memset(mask, 0xee, sizeof mask);
  long bytes = CHECK_OK(syscall(SYS_sched_getaffinity, 0, sizeof mask, mask));
  CHECK(bytes > 0 && bytes % 8 == 0 && bytes <= (long)sizeof mask);
  CHECK_EQ((unsigned char)((char*)mask)[bytes], 0xee);
  CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 0, mask), EINVAL);
  CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 7, mask), EINVAL);
  CHECK_ERR(syscall(SYS_sched_getaffinity, 0x3fffffff, sizeof mask, mask), ESRCH);
  CHECK_ERR(syscall(SYS_sched_getaffinity, 0, sizeof mask, BAD_POINTER), EFAULT);
  CHECK_ERR(syscall(SYS_sched_setaffinity, 0, sizeof mask, BAD_POINTER), EFAULT);
  CHECK_ERR(syscall(SYS_sched_setaffinity, 0x3fffffff, sizeof mask, mask), ESRCH);

  cpu_set_t all, one;
  CHECK_OK(sched_getaffinity(0, sizeof all, &all));
  int count = CPU_COUNT(&all);
  CHECK(count >= 1 && count <= get_nprocs_conf());
  CHECK_EQ(sysconf(_SC_NPROCESSORS_ONLN), get_nprocs());

  CPU_ZERO(&one);
  CHECK_ERR(sched_setaffinity(0, sizeof one, &one), EINVAL);  // nowhere to run
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET(cpu, &all)) continue;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    CHECK_OK(sched_setaffinity(0, sizeof one, &one));
    cpu_set_t got;
    CHECK_OK(sched_getaffinity(0, sizeof got, &got));
    CHECK(CPU_EQUAL(&got, &one));
    unsigned now = ~0u, node = ~0u;
    CHECK_OK(syscall(SYS_getcpu, &now, &node, NULL));
    CHECK_EQ(now, cpu);
    CHECK(node < 1024);
    CHECK_EQ(sched_getcpu(), cpu);
    IN_CHILD({  // inherited
      CHECK_OK(sched_getaffinity(0, sizeof got, &got));
      CHECK(CPU_EQUAL(&got, &one));
    });
  }
  CHECK_OK(sched_setaffinity(0, sizeof all, &all));
  CHECK_ERR(sched_getaffinity(-1, sizeof all, &all), ESRCH);
  CHECK_ERR(sched_setaffinity(-1, sizeof all, &all), ESRCH);
  CHECK_OK(syscall(SYS_getcpu, NULL, NULL, NULL));
  CHECK_ERR(syscall(SYS_getcpu, BAD_POINTER, NULL, NULL), EFAULT);
  return 0;
}
