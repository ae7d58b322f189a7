// Numbers without a system call give ENOSYS and change nothing else.
#include "proc.h"

int main(void) {
  static const long numbers[] = {-1, -2, 400, 423, 600, 1000, 4095, 4096, 65535, 1 << 20};
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
#ifndef __x86_64__
    if (numbers[i] >= 0 && numbers[i] < 423) continue;
#endif
    CHECK_ERR(syscall(numbers[i], 1, 2, 3, 4, 5, 6), ENOSYS);
  }
#ifdef __x86_64__
  CHECK_ERR(syscall(0x40000000 + 5000), ENOSYS);  // the x32 range
  // Calls that lost their meaning long ago.
  CHECK_ERR(syscall(174), ENOSYS);  // create_module
  CHECK_ERR(syscall(177), ENOSYS);  // get_kernel_syms
  CHECK_ERR(syscall(180), ENOSYS);  // nfsservctl
  CHECK_ERR(syscall(236), ENOSYS);  // vserver
#endif
#ifdef __x86_64__
  CHECK_EQ(getpid(), syscall(SYS_getpid + (1L << 40)));  // the number is an int
#endif
  // Arguments that a call does not have are ignored.
  CHECK_EQ(getpid(), syscall(SYS_getpid, 1, 2, 3, 4, 5, 6));
  return 0;
}
