// clone(2) and clone3(2): combinations of flags that are refused.
#include <linux/sched.h>

#include "proc.h"

// Never runs: each of these calls fails.
static long Raw(unsigned long flags) { return syscall(SYS_clone, flags, NULL, NULL, NULL, NULL); }

int main(void) {
  CHECK_ERR(Raw(CLONE_SIGHAND | SIGCHLD), EINVAL);             // needs CLONE_VM
  CHECK_ERR(Raw(CLONE_THREAD | SIGCHLD), EINVAL);              // needs CLONE_SIGHAND
  CHECK_ERR(Raw(CLONE_THREAD | CLONE_VM), EINVAL);             // needs CLONE_SIGHAND
  CHECK_ERR(Raw(CLONE_FS | CLONE_NEWNS | SIGCHLD), EINVAL);    // contradiction
  CHECK_ERR(Raw(CLONE_FS | CLONE_NEWUSER | SIGCHLD), EINVAL);  // contradiction
  CHECK_ERR(Raw(CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_NEWUSER), EINVAL);
  CHECK_ERR(Raw(CLONE_PIDFD | CLONE_DETACHED | SIGCHLD), EINVAL);
  CHECK_ERR(Raw(CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD), EINVAL);  // share one argument
  CHECK_ERR(wait(NULL), ECHILD);

  struct clone_args args;
  memset(&args, 0, sizeof args);
  args.exit_signal = SIGCHLD;
  if (syscall(SYS_clone3, NULL, 0) == -1 && errno == ENOSYS) return 0;
  CHECK_ERR(syscall(SYS_clone3, &args, CLONE_ARGS_SIZE_VER0 - 1), EINVAL);
  CHECK_ERR(syscall(SYS_clone3, &args, 2 * PageSize()), E2BIG);
  CHECK_ERR(syscall(SYS_clone3, BAD_POINTER, sizeof args), EFAULT);
  // A longer structure is fine only when the unknown part is zero.
  struct {
    struct clone_args args;
    uint64_t extra[4];
  } longer = {.args = args, .extra = {0, 0, 1, 0}};
  CHECK_ERR(syscall(SYS_clone3, &longer, sizeof longer), E2BIG);
  args.flags = CLONE_DETACHED;
  CHECK_ERR(syscall(SYS_clone3, &args, sizeof args), EINVAL);
  args.flags = SIGCHLD;  // the signal has a field of its own
  CHECK_ERR(syscall(SYS_clone3, &args, sizeof args), EINVAL);
  args.flags = 0;
  args.exit_signal = 300;
  CHECK_ERR(syscall(SYS_clone3, &args, sizeof args), EINVAL);
  args.exit_signal = SIGCHLD;
  args.flags = CLONE_PARENT;
  CHECK_ERR(syscall(SYS_clone3, &args, sizeof args), EINVAL);  // inherits the signal
  args.flags = 0;
  args.stack = 0x10000;  // without size
  CHECK_ERR(syscall(SYS_clone3, &args, sizeof args), EINVAL);
  args.stack = 0;
  args.stack_size = 0x1000;  // without stack
  CHECK_ERR(syscall(SYS_clone3, &args, sizeof args), EINVAL);
  args.stack_size = 0;
  args.flags = CLONE_SIGHAND | CLONE_VM | CLONE_CLEAR_SIGHAND;
  CHECK_ERR(syscall(SYS_clone3, &args, sizeof args), EINVAL);
  args.flags = CLONE_SIGHAND;
  CHECK_ERR(syscall(SYS_clone3, &args, sizeof args), EINVAL);
  args.flags = 1ull << 40;
  CHECK_ERR(syscall(SYS_clone3, &args, sizeof args), EINVAL);

  // set_tid: an array and its size belong together, numbers must be free, choosing takes a
  // privilege.
  args.flags = 0;
  pid_t tids[40] = {1};
  args.set_tid = (uintptr_t)tids;
  args.set_tid_size = 0;
  CHECK_ERR(syscall(SYS_clone3, &args, sizeof args), EINVAL);
  args.set_tid_size = 40;
  CHECK_ERR(syscall(SYS_clone3, &args, sizeof args), EINVAL);
  args.set_tid = 0;
  args.set_tid_size = 1;
  CHECK_ERR(syscall(SYS_clone3, &args, sizeof args), EINVAL);
  args.set_tid = (uintptr_t)tids;
  tids[0] = -5;
  CHECK_ERR(syscall(SYS_clone3, &args, sizeof args), EINVAL);
  args.set_tid = (uintptr_t)BAD_POINTER;
  CHECK_ERR(syscall(SYS_clone3, &args, sizeof args), EFAULT);
  args.set_tid = (uintptr_t)tids;
  tids[0] = getpid();
  errno = 0;
  CHECK_EQ(syscall(SYS_clone3, &args, sizeof args), -1);
  CHECK(errno == EEXIST || errno == EPERM);
  CHECK_ERR(wait(NULL), ECHILD);

  // A descriptor for the child that cannot be told, or had: nothing is left of either.
  args.set_tid = args.set_tid_size = 0;
  args.flags = CLONE_PIDFD;
  args.pidfd = (uintptr_t)BAD_POINTER;
  const int next = (int)CHECK_OK(dup(2));
  close(next);
  for (int i = 0; i < 3; i++) CHECK_ERR(syscall(SYS_clone3, &args, sizeof args), EFAULT);
  args.flags = CLONE_PIDFD | CLONE_VM | CLONE_VFORK;
  CHECK_ERR(syscall(SYS_clone3, &args, sizeof args), EFAULT);
  int pidfd = -1;
  args.flags = CLONE_PIDFD;
  args.pidfd = (uintptr_t)&pidfd;
  IN_CHILD({
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){3, 3}));
    for (int i = 0; i < 3; i++) CHECK_ERR(syscall(SYS_clone3, &args, sizeof args), EMFILE);
    CHECK_EQ(pidfd, -1);
    CHECK_ERR(wait(NULL), ECHILD);
  });
  CHECK_EQ(CHECK_OK(dup(2)), next);
  CHECK_ERR(wait(NULL), ECHILD);
  return 0;
}
