// Orphans go to the nearest ancestor that is a subreaper (PR_SET_CHILD_SUBREAPER), which then waits
// for them.
#include <sys/prctl.h>

#include "proc.h"

static pid_t Parent(void) { return (pid_t)syscall(SYS_getppid); }

int main(void) {
  int value = -1;
  CHECK_OK(prctl(PR_GET_CHILD_SUBREAPER, &value));
  CHECK_EQ(value, 0);
  CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
  CHECK_OK(prctl(PR_GET_CHILD_SUBREAPER, &value));
  CHECK_EQ(value, 1);
  CHECK_ERR(prctl(PR_GET_CHILD_SUBREAPER, BAD_POINTER), EFAULT);
  IN_CHILD({
    int mine = -1;
    CHECK_OK(prctl(PR_GET_CHILD_SUBREAPER, &mine));
    CHECK_EQ(mine, 0);  // not inherited
  });

  pid_t top = getpid();
  pid_t* orphan = SharedPage();
  int gate[2];
  CHECK_OK(pipe(gate));
  pid_t pid = Fork();
  if (pid == 0) {
    pid_t middle = getpid();
    pid_t inner = Fork();
    if (inner == 0) {
      CHECK_EQ(Parent(), middle);
      *orphan = getpid();
      char byte;
      close(gate[1]);
      CHECK_EQ(read(gate[0], &byte, 1), 0);
      CHECK_EQ(Parent(), top);
      _exit(66);
    }
    CHECK(EVENTUALLY(*orphan == inner));
    _exit(0);
  }
  WAIT_EXIT(pid, 0);
  CHECK_EQ(waitpid(*orphan, NULL, WNOHANG), 0);  // ours now
  close(gate[1]);
  WAIT_EXIT(*orphan, 66);

  // A zombie is handed over too.
  pid = Fork();
  if (pid == 0) {
    pid_t inner = Fork();
    if (inner == 0) _exit(67);
    *orphan = inner;
    AWAIT_STATE(inner, 'Z');
    _exit(0);
  }
  WAIT_EXIT(pid, 0);
  WAIT_EXIT(*orphan, 67);

  // An orphan of a process with threads stays with the process when only its maker thread ends; the
  // nearer reaper wins over the farther one.
  pid = Fork();
  if (pid == 0) {
    CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
    pid_t inner = Fork();
    if (inner == 0) {
      pid_t last = Fork();
      if (last == 0) _exit(68);
      *orphan = last;
      _exit(0);
    }
    WAIT_EXIT(inner, 0);
    WAIT_EXIT(*orphan, 68);
    _exit(0);
  }
  WAIT_EXIT(pid, 0);
  // Also for those who were there before it became one.
  atomic_int* go = SharedPage();
  *orphan = 0;
  pid = Fork();
  if (pid == 0) {
    pid_t middle = Fork();
    if (middle == 0) {
      pid_t last = Fork();
      CHECK(last != 0 || EVENTUALLY(*go));
      if (last == 0) _exit(69);
      *orphan = last;
      CHECK(EVENTUALLY(*go));
      _exit(0);
    }
    CHECK(EVENTUALLY(*orphan != 0));
    CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
    *go = 1;
    WAIT_EXIT(middle, 0);
    WAIT_EXIT(*orphan, 69);
    _exit(0);
  }
  WAIT_EXIT(pid, 0);
  CHECK_ERR(wait(NULL), ECHILD);

  // Death in a chain: all descendants arrive here.
  enum { kCount = 8 };
  pid = Fork();
  if (pid == 0) {
    for (int i = 1; i < kCount; i++) {
      pid_t next = Fork();
      if (next != 0) _exit(i);
    }
    _exit(kCount);
  }
  int sum = 0;
  for (int i = 0; i < kCount; i++) {
    int status;
    CHECK_OK(wait(&status));
    sum += WEXITSTATUS(status);
  }
  CHECK_EQ(sum, kCount * (kCount + 1) / 2);
  CHECK_ERR(wait(NULL), ECHILD);
  return 0;
}
