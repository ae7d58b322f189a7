// A chain of 60 generations, each waiting for the next; each passes a changed value down and the
// depth back up.
#include "proc.h"

enum { kDepth = 60 };

int main(void) {
  int* count = SharedPage();
  int mine = 0;
  pid_t self = getpid();
  for (int depth = 0; depth < kDepth; depth++) {
    mine += depth;
    pid_t pid = Fork();
    if (pid != 0) {
      WAIT_EXIT(pid, depth + 1);
      if (depth == 0) break;
      _exit(depth);
    }
    CHECK_EQ(getppid(), self);
    self = getpid();
    ++*count;
    if (depth == kDepth - 1) {
      CHECK_EQ(mine, kDepth * (kDepth - 1) / 2);
      _exit(kDepth);
    }
  }
  CHECK_EQ(*count, kDepth);
  return 0;
}
