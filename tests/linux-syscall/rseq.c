// rseq(2): registered once for each thread by the C library or here; kernels may lack it.
#include <linux/rseq.h>

#include "proc.h"

static struct {
  struct rseq area;
  char room[64];
} __attribute__((aligned(64))) mine;

static long Rseq(void* area, uint32_t size, int flags, uint32_t signature) {
  return syscall(SYS_rseq, area, size, flags, signature);
}

int main(void) {
  errno = 0;
  long result = Rseq(&mine, 32, 0, 0x53053053);
  if (result == -1 && errno == ENOSYS) return 0;
  CHECK_ERR(Rseq(&mine, 32, 0x100, 0x53053053), EINVAL);
  if (result == -1) {  // the C library was first
    CHECK(errno == EINVAL || errno == EBUSY || errno == EPERM);
    return 0;
  }
  CHECK_ERR(Rseq(&mine, 32, 0, 0x53053053), EBUSY);
  CHECK_ERR(Rseq(&mine, 32, 0, 1), EPERM);
  sched_yield();
  CHECK(mine.area.cpu_id < 4096);
  CHECK_OK(Rseq(&mine, 32, RSEQ_FLAG_UNREGISTER, 0x53053053));
  return 0;
}
