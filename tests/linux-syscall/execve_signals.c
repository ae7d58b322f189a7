// execve(2): handlers are reset, ignored signals stay ignored, mask and pending signals stay, the
// alternate stack goes.
#include "proc.h"

static void Handler(int number) { (void)number; }

static int CheckNew(void) {
  struct sigaction action;
  CHECK_OK(sigaction(SIGUSR1, NULL, &action));
  CHECK(action.sa_handler == SIG_DFL);
  CHECK_OK(sigaction(SIGUSR2, NULL, &action));
  CHECK(action.sa_handler == SIG_IGN);
  CHECK_OK(sigaction(SIGCHLD, NULL, &action));
  CHECK(action.sa_handler == SIG_IGN);

  sigset_t mask;
  CHECK_OK(sigprocmask(SIG_SETMASK, NULL, &mask));
  for (int number = 1; number < 32; number++)
    CHECK_EQ(sigismember(&mask, number), number == SIGTERM || number == SIGHUP);
  CHECK_EQ(sigismember(&mask, SIGRTMIN + 1), 1);
  CHECK(IsPending(SIGTERM));
  CHECK(!IsPending(SIGHUP));

  // Queued values arrive in the new program too.
  sigset_t queued = SetOf(SIGRTMIN + 1);
  siginfo_t info;
  for (int i = 1; i <= 3; i++) {
    CHECK_EQ(sigwaitinfo(&queued, &info), SIGRTMIN + 1);
    CHECK_EQ(info.si_code, SI_QUEUE);
    CHECK_EQ(info.si_value.sival_int, i);
  }
  stack_t stack;
  CHECK_OK(sigaltstack(NULL, &stack));
  CHECK_EQ(stack.ss_flags, SS_DISABLE);
  // SIGTERM kills when it is let in: its handler is gone.
  Mask(SIG_UNBLOCK, SIGTERM);
  return 1;
}

int main(int argc, char** argv, char** envp) {
  if (argc == 2) return CheckNew();
  for (int number = 1; number < 32; number++)
    if (number != SIGKILL && number != SIGSTOP) Handle(number, SIG_DFL, 0);
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGTERM);
  sigaddset(&mask, SIGHUP);
  sigaddset(&mask, SIGRTMIN + 1);
  pid_t pid = Fork();
  if (pid == 0) {
    Handle(SIGUSR1, Handler, 0);
    Handle(SIGTERM, Handler, 0);
    Handle(SIGUSR2, SIG_IGN, 0);
    Handle(SIGCHLD, SIG_IGN, 0);
    CHECK_OK(sigprocmask(SIG_SETMASK, &mask, NULL));
    stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
    CHECK_OK(sigaltstack(&stack, NULL));
    CHECK_OK(kill(getpid(), SIGTERM));
    for (int i = 1; i <= 3; i++)
      CHECK_OK(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = i}));
    execve("/proc/self/exe", (char*[]){argv[0], "new", NULL}, envp);
    _exit(99);
  }
  WAIT_SIGNAL(pid, SIGTERM);
  return 0;
}
