// SA_NODEFER, SA_RESETHAND, sa_mask, SA_SIGINFO and SA_ONSTACK as a handler sees them.
#include "proc.h"

static volatile int depth, deepest, count;
static volatile sig_atomic_t order[8], steps;

static void Nest(int number) {
  count++;
  if (++depth > deepest) deepest = depth;
  if (count < 3) raise(number);
  depth--;
}

static void First(int number) {
  order[steps++] = number;
  raise(SIGUSR2);  // blocked by this handler's mask
  raise(SIGALRM);  // not blocked: at once
  order[steps++] = -number;
}
static void Second(int number) { order[steps++] = number; }

static siginfo_t info;
static ucontext_t* context;
static void Info(int number, siginfo_t* arg, void* where) {
  (void)number;
  info = *arg;
  context = where;
  sigset_t now;
  CHECK_OK(sigprocmask(SIG_SETMASK, NULL, &now));
  CHECK_EQ(sigismember(&now, SIGUSR1), 1);
  CHECK_EQ(sigismember(&context->uc_sigmask, SIGUSR1), 0);  // what comes back at the return
  CHECK_EQ(sigismember(&context->uc_sigmask, SIGHUP), 1);
}

int main(void) {
  Handle(SIGUSR1, Nest, 0);
  CHECK_OK(raise(SIGUSR1));
  CHECK_EQ(count, 3);
  CHECK_EQ(deepest, 1);  // deferred, each after the last
  count = deepest = 0;
  Handle(SIGUSR1, Nest, SA_NODEFER);
  CHECK_OK(raise(SIGUSR1));
  CHECK_EQ(count, 3);
  CHECK_EQ(deepest, 3);

  struct sigaction action;
  Handle(SIGUSR1, Nest, SA_RESETHAND);
  count = 5;
  CHECK_OK(raise(SIGUSR1));
  CHECK_EQ(count, 6);
  CHECK_OK(sigaction(SIGUSR1, NULL, &action));
  CHECK(action.sa_handler == SIG_DFL);
  IN_CHILD_KILLED_BY(SIGUSR1, raise(SIGUSR1));

  memset(&action, 0, sizeof action);
  action.sa_handler = First;
  action.sa_mask = SetOf(SIGUSR2);
  CHECK_OK(sigaction(SIGUSR1, &action, NULL));
  Handle(SIGUSR2, Second, 0);
  Handle(SIGALRM, Second, 0);
  CHECK_OK(raise(SIGUSR1));
  CHECK_EQ(steps, 4);
  CHECK_EQ(order[0], SIGUSR1);
  CHECK_EQ(order[1], SIGALRM);
  CHECK_EQ(order[2], -SIGUSR1);
  CHECK_EQ(order[3], SIGUSR2);

  Mask(SIG_BLOCK, SIGHUP);
  HandleInfo(SIGUSR1, Info, 0);
  CHECK_OK(kill(getpid(), SIGUSR1));
  CHECK_EQ(info.si_signo, SIGUSR1);
  CHECK_EQ(info.si_code, SI_USER);
  CHECK_EQ(info.si_errno, 0);
  CHECK_EQ(info.si_pid, getpid());
  CHECK_EQ(info.si_uid, getuid());
  CHECK_OK(syscall(SYS_tgkill, getpid(), Gettid(), SIGUSR1));
  CHECK_EQ(info.si_code, SI_TKILL);
  CHECK_EQ(info.si_pid, getpid());
  CHECK_OK(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_ptr = &info}));
  CHECK_EQ(info.si_code, SI_QUEUE);
  CHECK(info.si_value.sival_ptr == &info);
  CHECK(!IsPending(SIGUSR1));
  return 0;
}
