// Real-time signals are queued with their values: lowest number first, then in order of sending.
#include "proc.h"

static int numbers[64], values[64];
static volatile int count;
static void Note(int number, siginfo_t* info, void* context) {
  (void)context;
  numbers[count] = number;
  values[count++] = info->si_value.sival_int;
}

int main(void) {
  sigset_t set;
  sigemptyset(&set);
  for (int i = 0; i < 3; i++) {
    sigaddset(&set, SIGRTMIN + i);
    HandleInfo(SIGRTMIN + i, Note, 0);
    struct sigaction action;
    CHECK_OK(sigaction(SIGRTMIN + i, NULL, &action));
    for (int j = 0; j < 3; j++) sigaddset(&action.sa_mask, SIGRTMIN + j);
    CHECK_OK(sigaction(SIGRTMIN + i, &action, NULL));
  }
  sigaddset(&set, SIGUSR1);
  HandleInfo(SIGUSR1, Note, 0);
  CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
  for (int i = 0; i < 5; i++) {
    CHECK_OK(sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = 20 + i}));
    CHECK_OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i}));
    CHECK_OK(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 10 + i}));
    CHECK_OK(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 100 + i}));
  }
  siginfo_t info;
  CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);  // standard signals first: they have lower numbers
  CHECK_EQ(info.si_value.sival_int, 100);       // the first of five; the rest were dropped
  for (int i = 0; i < 15; i++) {
    CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN + i / 5);
    CHECK_EQ(info.si_value.sival_int, i / 5 * 10 + i % 5);
    CHECK_EQ(info.si_code, SI_QUEUE);
  }
  CHECK_ERR(sigtimedwait(&set, &info, &(struct timespec){0, 0}), EAGAIN);

  // Through handlers: all are delivered when unblocked, in the same order.
  for (int i = 4; i >= 0; i--) {
    CHECK_OK(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 10 + i}));
    CHECK_OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i}));
  }
  CHECK_OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
  CHECK_EQ(count, 10);
  // Handlers mask each other here, so the first delivered runs to its end before the next.
  for (int i = 0; i < 10; i++) {
    CHECK_EQ(numbers[i], SIGRTMIN + i / 5);
    CHECK_EQ(values[i], i / 5 * 10 + 4 - i % 5);
  }

  // To a thread: rt_tgsigqueueinfo. A negative code only; anything else would be a forgery.
  CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
  memset(&info, 0, sizeof info);
  info.si_code = SI_QUEUE;
  info.si_value.sival_int = 7;
  CHECK_OK(syscall(SYS_rt_tgsigqueueinfo, getpid(), Gettid(), SIGRTMIN, &info));
  CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
  CHECK_EQ(info.si_value.sival_int, 7);
  pid_t child = Fork();
  if (child == 0)
    for (;;) pause();
  info.si_code = SI_USER;
  CHECK_ERR(syscall(SYS_rt_sigqueueinfo, child, SIGRTMIN, &info), EPERM);
  info.si_code = SI_TKILL;
  CHECK_ERR(syscall(SYS_rt_sigqueueinfo, child, SIGRTMIN, &info), EPERM);
  info.si_code = SI_QUEUE;
  CHECK_ERR(syscall(SYS_rt_sigqueueinfo, child, 65, &info), EINVAL);
  CHECK_ERR(syscall(SYS_rt_sigqueueinfo, 0x3fffffff, SIGRTMIN, &info), ESRCH);
  CHECK_ERR(syscall(SYS_rt_tgsigqueueinfo, 0, Gettid(), SIGRTMIN, &info), EINVAL);
  CHECK_OK(syscall(SYS_rt_sigqueueinfo, child, 0, &info));
  CHECK_OK(kill(child, SIGKILL));
  WAIT_SIGNAL(child, SIGKILL);

  // RLIMIT_SIGPENDING bounds the queue.
  IN_CHILD({
    CHECK_OK(setrlimit(RLIMIT_SIGPENDING, &(struct rlimit){0, 0}));
    CHECK_ERR(sigqueue(getpid(), SIGRTMIN, (union sigval){0}), EAGAIN);
    CHECK_OK(kill(getpid(), SIGRTMIN));  // without a value it still gets through
    CHECK(IsPending(SIGRTMIN));
  });
  return 0;
}
