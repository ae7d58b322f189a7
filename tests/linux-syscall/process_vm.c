// process_vm_readv(2), process_vm_writev(2): another process's memory, partial transfers, errors.
#include <sys/uio.h>

#include "check.h"

int main(void) {
  size_t page = PageSize();
  char* area =
      CHECK_MAP(mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  CHECK_OK(munmap(area + 2 * page, 2 * page));
  int ends[2], go[2];
  CHECK_OK(pipe(ends));
  CHECK_OK(pipe(go));
  pid_t pid = Fork();
  char c;
  if (pid == 0) {
    memcpy(area, "child's memory", 14);
    CHECK_OK(mprotect(area + page, page, PROT_READ));
    CHECK_EQ(write(ends[1], "r", 1), 1);
    CHECK_EQ(read(go[0], &c, 1), 1);
    CHECK_MEM(area, "Parent memory", 13);
    _exit(0);
  }
  CHECK_EQ(read(ends[0], &c, 1), 1);
  char buffer[64] = {0}, other[8] = {0};
  struct iovec local[2] = {{buffer, 5}, {other, 8}};
  struct iovec remote[2] = {{area, 7}, {area + 8, 6}};
  CHECK_EQ(process_vm_readv(pid, local, 2, remote, 2, 0), 13);
  CHECK_MEM(buffer, "child", 5);
  CHECK_MEM(other, "'smemory", 8);
  CHECK_EQ(area[0], 0);  // ours is another

  struct iovec from = {"Parent memory", 13}, to = {area, 13};
  CHECK_EQ(process_vm_writev(pid, &from, 1, &to, 1, 0), 13);
  // Up to the unmapped page, then stop.
  static char big[1 << 16];
  struct iovec all = {big, sizeof big}, over = {area + page - 10, 4 * page};
  CHECK_EQ(process_vm_readv(pid, &all, 1, &over, 1, 0), page + 10);
  struct iovec unmapped = {area + 2 * page, 10};
  CHECK_ERR(process_vm_readv(pid, &all, 1, &unmapped, 1, 0), EFAULT);
  struct iovec read_only = {area + page, 10};
  CHECK_ERR(process_vm_writev(pid, &from, 1, &read_only, 1, 0), EFAULT);
  CHECK_ERR(process_vm_readv(pid, &all, 1, &over, 1, 1), EINVAL);
  CHECK_ERR(process_vm_readv(pid, &all, 1025, &over, 1, 0), EINVAL);
  CHECK_EQ(process_vm_readv(pid, &all, 0, &over, 1, 0), 0);
  CHECK_ERR(process_vm_readv(99999999, &all, 1, &over, 1, 0), ESRCH);
  struct iovec own = {area, 5};
  memcpy(area, "mine!", 5);
  CHECK_EQ(process_vm_readv(getpid(), &all, 1, &own, 1, 0), 5);
  CHECK_MEM(big, "mine!", 5);
  if (IsRoot()) {
    pid_t parent = getpid();
    IN_CHILD(BecomeNobody(); CHECK_ERR(process_vm_readv(parent, &all, 1, &own, 1, 0), EPERM));
  }
  CHECK_EQ(write(go[1], "g", 1), 1);
  WAIT_EXIT(pid, 0);
  return 0;
}
