// CLONE_PARENT_SETTID, CLONE_CHILD_SETTID and CLONE_CHILD_CLEARTID for processes; words that cannot
// be written.
#include <linux/futex.h>

#include "proc.h"

// The order of clone's last arguments differs between processors.
static long RawClone(unsigned long flags, void* parent_tid, void* child_tid) {
  fflush(NULL);
#ifdef __x86_64__
  return syscall(SYS_clone, flags, NULL, parent_tid, child_tid, NULL);
#else
  return syscall(SYS_clone, flags, NULL, parent_tid, NULL, child_tid);
#endif
}

int main(void) {
  static pid_t up, down;
  long pid = CHECK_OK(RawClone(CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, &up, &down));
  if (pid == 0) _exit(down == syscall(SYS_getpid) && up == 0 ? 0 : 1);
  CHECK_EQ(up, pid);
  CHECK_EQ(down, 0);
  WAIT_EXIT((pid_t)pid, 0);

  // The child's word in shared memory is cleared, with a wake-up, only when others still see that
  // memory.
  pid_t* word = SharedPage();
  *word = 12345;
  pid = CHECK_OK(RawClone(CLONE_CHILD_SETTID | SIGCHLD, NULL, word));
  if (pid == 0) _exit(0);
  WAIT_EXIT((pid_t)pid, 0);
  CHECK_EQ(*word, pid);  // nobody asked for clearing

  // A word that cannot be written does not fail the call: neither in the child nor at its end.
  pid = CHECK_OK(RawClone(CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, NULL, BAD_POINTER));
  if (pid == 0) _exit(6);
  WAIT_EXIT((pid_t)pid, 6);
  pid = CHECK_OK(RawClone(CLONE_PARENT_SETTID | SIGCHLD, BAD_POINTER, NULL));
  if (pid == 0) _exit(7);
  WAIT_EXIT((pid_t)pid, 7);

  // set_tid_address(2) yields the thread's number and replaces the word.
  static pid_t mine;
  CHECK_EQ(syscall(SYS_set_tid_address, &mine), Gettid());
  CHECK_EQ(syscall(SYS_set_tid_address, BAD_POINTER), Gettid());
  IN_CHILD(CHECK_EQ(syscall(SYS_set_tid_address, &mine), getpid()));
  CHECK_EQ(mine, 0);
  return 0;
}
