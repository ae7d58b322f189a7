// clone(2) with the flags of a thread, without a C library's help: tids, CLONE_CHILD_CLEARTID,
// exit(2) of one.
#include <linux/futex.h>

#include "proc.h"

enum { kThread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM };

static char stack[64 * 1024] __attribute__((aligned(16)));
static pid_t parent_tid, child_tid, clear_tid = -1;
static atomic_int seen_pid, seen_tid, seen_word, release, opened;

// Leaves errno (thread-local, and shared with the main thread here) alone: only calls that succeed.
static int Thread(void* arg) {
  (void)arg;
  seen_word = child_tid;
  seen_pid = (int)syscall(SYS_getpid);
  seen_tid = (int)syscall(SYS_gettid);
  opened = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY, 0);
  while (!release) sched_yield();
  syscall(SYS_exit, 3);
  return 0;
}

int main(void) {
  int tid =
      (int)CHECK_OK(clone(Thread, stack + sizeof stack,
                          kThread | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID,
                          NULL, &parent_tid, NULL, &child_tid));
  CHECK_EQ(parent_tid, tid);
  while (!opened) sched_yield();
  CHECK_EQ(seen_pid, getpid());
  CHECK_EQ(seen_tid, tid);
  CHECK_EQ(seen_word, tid);
  CHECK(tid != getpid());
  CHECK_OK(fcntl(opened, F_GETFD));               // descriptors are shared
  CHECK_ERR(waitpid(tid, NULL, __WALL), ECHILD);  // a thread is nobody's child
  CHECK_ERR(waitpid(-1, NULL, __WALL), ECHILD);
  CHECK_OK(syscall(SYS_tgkill, getpid(), tid, 0));
  release = 1;
  // The kernel zeroes the word and wakes its futex when the thread is gone.
  for (;;) {
    pid_t word = __atomic_load_n(&child_tid, __ATOMIC_ACQUIRE);
    if (word == 0) break;
    long result = Futex(&child_tid, FUTEX_WAIT, (uint32_t)word, NULL, NULL, 0);
    CHECK(result == 0 || errno == EAGAIN || errno == EINTR);
  }
  CHECK(EVENTUALLY(syscall(SYS_tgkill, getpid(), tid, 0) == -1 && errno == ESRCH));
  CHECK_EQ(clear_tid, -1);
  CHECK_EQ(parent_tid, tid);
  return 0;
}
