// Pairs of pseudo-terminals.
#pragma once
#include <stdlib.h>
#include <sys/ioctl.h>

#include "check.h"

// A new pair that is nobody's controlling terminal; |name| is the slave's.
static inline int OpenMaster(char name[64]) {
  int master = (int)CHECK_OK(posix_openpt(O_RDWR | O_NOCTTY));
  CHECK_OK(unlockpt(master));
  CHECK_EQ(ptsname_r(master, name, 64), 0);
  return master;
}
static inline void OpenPty(int* master, int* slave) {
  char name[64];
  *master = OpenMaster(name);
  *slave = (int)CHECK_OK(open(name, O_RDWR | O_NOCTTY));
}

// What is written to one side arrives piece by piece on the other.
static inline void AwaitInput(int fd, int size) {
  int ready;
  CHECK(EVENTUALLY(ioctl(fd, FIONREAD, &ready) == 0 && ready == size));
}
