// membarrier(2): the query, registration before use, errors.
#include <linux/membarrier.h>

#include "proc.h"

int main(void) {
  long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
  if (commands == -1 && errno == ENOSYS) SKIP("no membarrier");
  CHECK(commands >= 0);
  CHECK_ERR(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 77, 0), EINVAL);
  CHECK_ERR(syscall(SYS_membarrier, 1 << 25, 0, 0), EINVAL);
  CHECK_ERR(syscall(SYS_membarrier, -1, 0, 0), EINVAL);
  if (commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED) {
    CHECK(commands & MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
    CHECK_ERR(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), EPERM);
    CHECK_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
    CHECK_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
  }
  if (commands & MEMBARRIER_CMD_GLOBAL_EXPEDITED) {  // needs no registration of the caller's
    CHECK_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0));
    CHECK_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0));
    CHECK_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0));
  }
  if (commands & MEMBARRIER_CMD_GLOBAL)
    CHECK_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0));
  return 0;
}
