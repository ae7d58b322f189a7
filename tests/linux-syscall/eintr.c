// Which blocking calls a handler interrupts with EINTR, and which go on with SA_RESTART.
#include <linux/futex.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "proc.h"

static volatile sig_atomic_t count;
static void Count(int number) { count += number != 0; }

static int ends[2];
static pid_t helper;
static struct sigaction action;

// Sends signals to us whenever we are asleep, three of them, then feeds the pipe when asked to.
static void StartHelper(bool feed) {
  pid_t parent = getpid();
  count = 0;
  helper = Fork();
  if (helper == 0) {
    for (int i = 0; i < 3; i++) {
      LetBlock(parent);
      kill(parent, SIGUSR1);
      if (!feed && i == 0) Nap(2);
    }
    if (feed) {
      LetBlock(parent);
      CHECK_EQ(write(ends[1], "x", 1), 1);
    }
    for (;;) {  // in case the first ones came too early
      Nap(20);
      if (!feed) kill(parent, SIGUSR1);
    }
  }
}
static void StopHelper(void) {
  Mask(SIG_BLOCK, SIGUSR1);
  CHECK_OK(kill(helper, SIGKILL));
  WAIT_SIGNAL(helper, SIGKILL);
  Mask(SIG_UNBLOCK, SIGUSR1);
}

#define INTERRUPTED(call)   \
  do {                      \
    StartHelper(false);     \
    CHECK_ERR(call, EINTR); \
    CHECK(count >= 1);      \
    StopHelper();           \
  } while (0)

int main(void) {
  CHECK_OK(pipe(ends));
  char byte;
  action.sa_handler = Count;

  // With SA_RESTART reads and waits go on.
  action.sa_flags = SA_RESTART;
  CHECK_OK(sigaction(SIGUSR1, &action, NULL));
  StartHelper(true);
  CHECK_EQ(read(ends[0], &byte, 1), 1);
  CHECK(count >= 1);
  StopHelper();

  struct pollfd item = {.fd = ends[0], .events = POLLIN};
  struct timespec twenty = {20, 0}, left;
  static uint32_t word;
  int epoll = (int)CHECK_OK(epoll_create1(0));
  struct epoll_event event = {.events = EPOLLIN};
  CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event));
  fd_set set;
  FD_ZERO(&set);
  FD_SET(ends[0], &set);
  sigset_t none = SetOf(SIGURG);

  // These never restart, whatever the handler's flags.
  for (int round = 0; round < 2; round++) {
    INTERRUPTED(poll(&item, 1, -1));
    INTERRUPTED(ppoll(&item, 1, NULL, NULL));
    INTERRUPTED(select(ends[0] + 1, &set, NULL, NULL, NULL));
    INTERRUPTED(pselect(ends[0] + 1, &set, NULL, NULL, NULL, &none));
    INTERRUPTED(epoll_wait(epoll, &event, 1, -1));
    INTERRUPTED(nanosleep(&twenty, &left));
    CHECK(left.tv_sec <= 20 && left.tv_sec >= 10);
    INTERRUPTED(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &twenty, &left));
    INTERRUPTED(Futex(&word, FUTEX_WAIT_PRIVATE, 0, &twenty, NULL, 0));
    INTERRUPTED(pause());
    INTERRUPTED(sigsuspend(&none));
    INTERRUPTED(sigtimedwait(&none, NULL, NULL));
    action.sa_flags = 0;
    CHECK_OK(sigaction(SIGUSR1, &action, NULL));
  }

  // Without it these are interrupted too.
  INTERRUPTED(read(ends[0], &byte, 1));
  INTERRUPTED(waitpid(helper, NULL, 0));
  INTERRUPTED(Futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0));
  // A write that got some bytes into a full pipe tells how many.
  static char big[1 << 20];
  StartHelper(false);
  ssize_t wrote = (ssize_t)CHECK_OK(write(ends[1], big, sizeof big));
  CHECK(wrote > 0 && wrote < (ssize_t)sizeof big);
  StopHelper();
  INTERRUPTED(write(ends[1], big, sizeof big));
  return 0;
}
