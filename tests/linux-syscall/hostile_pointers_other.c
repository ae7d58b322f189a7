// Bad pointers given to waiting, sockets, time, signals, processes and memory calls.
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "check.h"

static void All(uintptr_t bad, int ep, const int* pair) {
  struct timespec zero = {0, 0};
  struct epoll_event event;
  socklen_t length = 8;
  CHECK_ERR(syscall(SYS_ppoll, bad, 1, &zero, NULL, 8), EFAULT);
  CHECK_ERR(syscall(SYS_epoll_ctl, ep, EPOLL_CTL_ADD, pair[1], bad), EFAULT);
  CHECK_EQ(epoll_wait(ep, &event, 1, 0), 1);
  CHECK_ERR(syscall(SYS_epoll_pwait, ep, bad, 1, 0, NULL, 8), EFAULT);
  CHECK_ERR(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, bad), EFAULT);
  CHECK_ERR(syscall(SYS_bind, pair[0], bad, 10), EFAULT);
  CHECK_ERR(syscall(SYS_connect, pair[0], bad, 10), EFAULT);
  CHECK_ERR(syscall(SYS_getsockname, pair[0], bad, &length), EFAULT);
  CHECK_ERR(syscall(SYS_getsockname, pair[0], &event, bad), EFAULT);
  CHECK_ERR(syscall(SYS_getsockopt, pair[0], SOL_SOCKET, SO_TYPE, bad, &length), EFAULT);
  CHECK_ERR(syscall(SYS_setsockopt, pair[0], SOL_SOCKET, SO_REUSEADDR, bad, 4), EFAULT);
  CHECK_ERR(syscall(SYS_sendmsg, pair[0], bad, 0), EFAULT);
  CHECK_ERR(syscall(SYS_recvmsg, pair[0], bad, MSG_DONTWAIT), EFAULT);
  CHECK_ERR(syscall(SYS_sendto, pair[0], bad, 5, 0, NULL, 0), EFAULT);

  CHECK_ERR(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, bad), EFAULT);
  CHECK_ERR(syscall(SYS_nanosleep, bad, NULL), EFAULT);
  if (bad) {
    CHECK_ERR(syscall(SYS_gettimeofday, bad, NULL), EFAULT);
    CHECK_ERR(syscall(SYS_clock_getres, CLOCK_MONOTONIC, bad), EFAULT);
    CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, bad, NULL, 8), EFAULT);
    CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, NULL, bad, 8), EFAULT);
    CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, bad, NULL, 8), EFAULT);
    CHECK_ERR(syscall(SYS_sigaltstack, bad, NULL), EFAULT);
    CHECK_ERR(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, bad), EFAULT);
    CHECK_ERR(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, bad, NULL), EFAULT);
    CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, bad, &event), EFAULT);
  }
  CHECK_ERR(syscall(SYS_rt_sigsuspend, bad, 8), EFAULT);
  CHECK_ERR(syscall(SYS_rt_sigpending, bad, 8), EFAULT);
  CHECK_ERR(syscall(SYS_rt_sigtimedwait, bad, NULL, &zero, 8), EFAULT);
  CHECK_ERR(syscall(SYS_uname, bad), EFAULT);
  CHECK_ERR(syscall(SYS_sysinfo, bad), EFAULT);
  CHECK_ERR(syscall(SYS_getrusage, RUSAGE_SELF, bad), EFAULT);
  CHECK_ERR(syscall(SYS_getrandom, bad, 16, 0), EFAULT);
  CHECK_ERR(syscall(SYS_getresuid, bad, bad, bad), EFAULT);
  if (bad) CHECK_ERR(syscall(SYS_times, bad), EFAULT);
  CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 128, bad), EFAULT);
  CHECK_ERR(syscall(SYS_sched_setaffinity, 0, 128, bad), EFAULT);
  CHECK_ERR(syscall(SYS_timerfd_settime, ep, 0, bad, NULL), EFAULT);
  unsigned char page_state;
  CHECK_OK(syscall(SYS_mincore, (uintptr_t)&page_state & ~(PageSize() - 1), 1, &page_state));
  CHECK_ERR(syscall(SYS_mincore, (uintptr_t)&page_state & ~(PageSize() - 1), 1, bad), EFAULT);
  long futex = syscall(SYS_futex, bad, 0 /* FUTEX_WAIT */, 0, &zero, NULL, 0);
  CHECK(futex == -1 && (errno == EFAULT || errno == EINVAL));  // EINVAL when it is not aligned

  // A child's status that cannot be told: the child was waited for all the same.
  pid_t pid = Fork();
  if (pid == 0) _exit(3);
  if (bad) {
    siginfo_t info;
    CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
    CHECK_ERR(syscall(SYS_wait4, pid, bad, 0, NULL), EFAULT);
    CHECK_ERR(waitpid(pid, NULL, 0), ECHILD);
  } else {
    WAIT_EXIT(pid, 3);
  }
}

int main(void) {
  int ep = (int)CHECK_OK(epoll_create1(0)), pair[2];
  CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair));
  struct epoll_event event = {.events = EPOLLOUT};
  CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, pair[0], &event));
  for (int i = 0; i < kHostileCount; i++) All(kHostile[i], ep, pair);
  All((uintptr_t)EdgeBuffer(0), ep, pair);
  char c;
  CHECK_ERR(recv(pair[1], &c, 1, 0), EAGAIN);  // nothing was sent
  return 0;
}
