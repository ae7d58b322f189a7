// SIGCHLD: its siginfo, SA_NOCLDSTOP, SA_NOCLDWAIT.
#include "proc.h"

static siginfo_t info;
static volatile sig_atomic_t count;
static void Note(int number, siginfo_t* arg, void* context) {
  (void)number, (void)context;
  info = *arg;
  count++;
}

static pid_t Blocked(void) {
  pid_t pid = Fork();
  if (pid == 0)
    for (;;) pause();
  return pid;
}

#define EXPECT(code, status)          \
  do {                                \
    CHECK(EVENTUALLY(count == 1));    \
    CHECK_EQ(info.si_signo, SIGCHLD); \
    CHECK_EQ(info.si_code, code);     \
    CHECK_EQ(info.si_pid, pid);       \
    CHECK_EQ(info.si_uid, getuid());  \
    CHECK_EQ(info.si_status, status); \
    count = 0;                        \
  } while (0)

int main(void) {
  CHECK_OK(setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}));
  HandleInfo(SIGCHLD, Note, SA_RESTART);
  pid_t pid = Fork();
  if (pid == 0) _exit(200);
  EXPECT(CLD_EXITED, 200);
  WAIT_EXIT(pid, 200);

  pid = Blocked();
  CHECK_OK(kill(pid, SIGSTOP));
  EXPECT(CLD_STOPPED, SIGSTOP);
  CHECK_OK(kill(pid, SIGCONT));
  EXPECT(CLD_CONTINUED, SIGCONT);
  CHECK_OK(kill(pid, SIGTERM));
  EXPECT(CLD_KILLED, SIGTERM);
  WAIT_SIGNAL(pid, SIGTERM);
  pid = Fork();
  if (pid == 0) abort();
  CHECK(EVENTUALLY(count == 1));
  CHECK(info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED);
  CHECK_EQ(info.si_status, SIGABRT);
  WAIT_SIGNAL(pid, SIGABRT);
  count = 0;

  HandleInfo(SIGCHLD, Note, SA_NOCLDSTOP);
  pid = Blocked();
  int status;
  CHECK_OK(kill(pid, SIGSTOP));
  CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
  CHECK_OK(kill(pid, SIGCONT));
  CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
  CHECK_EQ(count, 0);
  CHECK_OK(kill(pid, SIGKILL));
  EXPECT(CLD_KILLED, SIGKILL);
  WAIT_SIGNAL(pid, SIGKILL);

  // No zombies, but still a signal.
  HandleInfo(SIGCHLD, Note, SA_NOCLDWAIT);
  count = 0;
  pid = Fork();
  if (pid == 0) _exit(1);
  while (waitpid(pid, &status, 0) == -1 && errno == EINTR) {
  }
  CHECK_EQ(errno, ECHILD);
  CHECK(EVENTUALLY(count == 1));
  CHECK_EQ(info.si_pid, pid);

  // Several at once: one pending signal may stand for many children.
  HandleInfo(SIGCHLD, Note, 0);
  Mask(SIG_BLOCK, SIGCHLD);
  count = 0;
  pid_t pids[5];
  for (int i = 0; i < 5; i++) {
    pids[i] = Fork();
    if (pids[i] == 0) _exit(i);
  }
  for (int i = 0; i < 5; i++)  // when they can be waited for, their signals have been sent
    CHECK_OK(waitid(P_PID, (id_t)pids[i], &info, WEXITED | WNOWAIT));
  Mask(SIG_UNBLOCK, SIGCHLD);
  CHECK_EQ(count, 1);
  for (int i = 0; i < 5; i++) WAIT_EXIT(pids[i], i);
  return 0;
}
