// clone3(2) as C libraries use it: like fork, with settid words, with a pidfd, with all handlers
// reset.
#include <linux/sched.h>

#include "proc.h"

static void Ignore(int signal) { (void)signal; }

static long Clone3(struct clone_args* args) {
  fflush(NULL);
  return syscall(SYS_clone3, args, sizeof *args);
}

int main(void) {
  struct clone_args args;
  memset(&args, 0, sizeof args);
  errno = 0;
  if (syscall(SYS_clone3, NULL, 0) == -1 && errno == ENOSYS) SKIP("no clone3");

  args.exit_signal = SIGCHLD;
  pid_t parent = getpid();
  long pid = CHECK_OK(Clone3(&args));
  if (pid == 0) _exit(getppid() == parent ? 9 : 1);
  WAIT_EXIT((pid_t)pid, 9);

  // The first published size is enough.
  pid = CHECK_OK(syscall(SYS_clone3, &args, CLONE_ARGS_SIZE_VER0));
  if (pid == 0) _exit(4);
  WAIT_EXIT((pid_t)pid, 4);

  static pid_t parent_tid, child_tid;
  int pidfd = -1;
  args.flags = CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_PIDFD;
  args.parent_tid = (uintptr_t)&parent_tid;
  args.child_tid = (uintptr_t)&child_tid;
  args.pidfd = (uintptr_t)&pidfd;
  pid = CHECK_OK(Clone3(&args));
  if (pid == 0) {  // what the parent is told is not in the child's memory
    CHECK_EQ(child_tid, Gettid());
    CHECK_EQ(parent_tid, 0);
    CHECK_EQ(pidfd, -1);
    _exit(0);
  }
  CHECK_EQ(parent_tid, pid);
  CHECK_EQ(child_tid, 0);
  CHECK_EQ(fcntl(pidfd, F_GETFD), FD_CLOEXEC);
  struct pollfd poll_pidfd = {.fd = pidfd, .events = POLLIN};
  CHECK_EQ(poll(&poll_pidfd, 1, -1), 1);
  CHECK_EQ(poll_pidfd.revents & POLLIN, POLLIN);
  WAIT_EXIT((pid_t)pid, 0);
  close(pidfd);

  // In memory that is shared it is there before the child runs, and the descriptor is open.
  struct Told {
    pid_t tid;
    int pidfd;
  }* told = SharedPage();
  args.flags = CLONE_PARENT_SETTID | CLONE_PIDFD | CLONE_FILES;
  args.parent_tid = (uintptr_t)&told->tid;
  args.pidfd = (uintptr_t)&told->pidfd;
  pid = CHECK_OK(Clone3(&args));
  if (pid == 0) {
    CHECK_EQ(told->tid, getpid());
    CHECK_EQ(fcntl(told->pidfd, F_GETFD), FD_CLOEXEC);
    _exit(0);
  }
  WAIT_EXIT((pid_t)pid, 0);
  close(told->pidfd);

#ifdef CLONE_CLEAR_SIGHAND
  Handle(SIGUSR1, Ignore, 0);
  CHECK(signal(SIGUSR2, SIG_IGN) != SIG_ERR);
  memset(&args, 0, sizeof args);
  args.exit_signal = SIGCHLD;
  args.flags = CLONE_CLEAR_SIGHAND;
  pid = CHECK_OK(Clone3(&args));
  if (pid == 0) {
    struct sigaction one, two;
    sigaction(SIGUSR1, NULL, &one);
    sigaction(SIGUSR2, NULL, &two);
    _exit(one.sa_handler == SIG_DFL && two.sa_handler == SIG_IGN ? 0 : 1);
  }
  WAIT_EXIT((pid_t)pid, 0);
#endif
  return 0;
}
