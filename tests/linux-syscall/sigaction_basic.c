// rt_sigaction(2): what is stored comes back, limits and errors, defaults of every signal.
#include "proc.h"

static volatile sig_atomic_t seen;
static void Note(int number) { seen = number; }

static bool Stops(int number) {
  return number == SIGSTOP || number == SIGTSTP || number == SIGTTIN || number == SIGTTOU;
}
static bool IgnoredByDefault(int number) {
  return number == SIGCHLD || number == SIGURG || number == SIGWINCH || number == SIGCONT;
}

int main(void) {
  struct sigaction action, old;
  memset(&action, 0, sizeof action);
  action.sa_handler = Note;
  sigemptyset(&action.sa_mask);
  sigaddset(&action.sa_mask, SIGTERM);
  sigaddset(&action.sa_mask, SIGKILL);  // silently left out
  action.sa_flags = SA_RESTART | SA_NODEFER;
  CHECK_OK(sigaction(SIGUSR1, &action, &old));
  CHECK(old.sa_handler == SIG_DFL);
  CHECK_OK(sigaction(SIGUSR1, NULL, &old));
  CHECK(old.sa_handler == Note);
  CHECK_EQ(old.sa_flags & (SA_RESTART | SA_NODEFER | SA_SIGINFO | SA_ONSTACK),
           SA_RESTART | SA_NODEFER);
  CHECK_EQ(sigismember(&old.sa_mask, SIGTERM), 1);
  CHECK_EQ(sigismember(&old.sa_mask, SIGKILL), 0);
  CHECK_EQ(sigismember(&old.sa_mask, SIGHUP), 0);
  CHECK_OK(raise(SIGUSR1));
  CHECK_EQ(seen, SIGUSR1);

  CHECK_ERR(sigaction(SIGKILL, &action, NULL), EINVAL);
  CHECK_ERR(sigaction(SIGSTOP, &action, NULL), EINVAL);
  CHECK_ERR(syscall(SYS_rt_sigaction, 0, &action, NULL, 8), EINVAL);
  CHECK_ERR(syscall(SYS_rt_sigaction, 65, &action, NULL, 8), EINVAL);
  CHECK_ERR(syscall(SYS_rt_sigaction, -1, NULL, NULL, 8), EINVAL);
  CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 16), EINVAL);
  CHECK_OK(sigaction(SIGKILL, NULL, &old));  // asking is allowed
  CHECK(old.sa_handler == SIG_DFL);
  CHECK_OK(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 8));

  // Flags that mean nothing are cleared, so that programs can probe.
  struct {
    void* handler;
    unsigned long flags;
    void* restorer_or_mask;
    unsigned long mask;
  } raw = {SIG_IGN, 0, NULL, 0}, got;
  raw.flags = 0x400 /* SA_UNSUPPORTED */ | 0x1000;
  CHECK_OK(syscall(SYS_rt_sigaction, SIGUSR2, &raw, NULL, 8));
  CHECK_OK(syscall(SYS_rt_sigaction, SIGUSR2, NULL, &got, 8));
  CHECK_EQ(got.flags & 0x400, 0);
  Handle(SIGUSR2, SIG_DFL, 0);

  // The default of each signal.
  CHECK_OK(setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}));
  for (int number = 1; number <= 64; number++) {
    if (number == 32 || number == 33) continue;  // the C library's own
    pid_t pid = Fork();
    if (pid == 0) {
      CHECK_OK(setpgid(0, 0));  // in a group that is not orphaned, so that terminal stops work
      if (number != SIGKILL && number != SIGSTOP) Handle(number, SIG_DFL, 0);
      CHECK_OK(syscall(SYS_tgkill, getpid(), Gettid(), number));
      _exit(42);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    if (Stops(number)) {
      CHECK(WIFSTOPPED(status));
      CHECK_EQ(WSTOPSIG(status), number);
      CHECK_OK(kill(pid, SIGCONT));
      WAIT_EXIT(pid, 42);
    } else if (IgnoredByDefault(number)) {
      CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    } else {
      CHECK(WIFSIGNALED(status));
      CHECK_EQ(WTERMSIG(status), number);
    }
  }
  return 0;
}
