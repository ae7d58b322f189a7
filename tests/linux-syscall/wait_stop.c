// SIGSTOP and SIGCONT: a stopped process does nothing, all its threads stop, SIGCONT lets it go on
// even when blocked.
#include "proc.h"

static void* Count(void* arg) {
  for (;;) ++*(atomic_long*)arg;
  return NULL;
}

static volatile sig_atomic_t continued;
static void OnCont(int number) { continued = number; }

int main(void) {
  atomic_long* counters = SharedPage();
  pid_t pid = Fork();
  int status;
  if (pid == 0) {
    Mask(SIG_BLOCK, SIGCONT);
    for (int i = 1; i < 3; i++) StartThread(Count, &counters[i]);
    Count(&counters[0]);
  }
  for (int i = 0; i < 3; i++) CHECK(EVENTUALLY(counters[i] > 0));
  for (int round = 0; round < 5; round++) {
    CHECK_OK(kill(pid, SIGSTOP));
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK_EQ(WSTOPSIG(status), SIGSTOP);
    CHECK_EQ(TaskState(pid), 'T');
    long before[3] = {counters[0], counters[1], counters[2]};
    Nap(10);
    for (int i = 0; i < 3; i++) CHECK_EQ(counters[i], before[i]);
    CHECK_OK(kill(pid, SIGCONT));  // works although blocked
    CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
    for (int i = 0; i < 3; i++) CHECK(EVENTUALLY(counters[i] > before[i]));
  }
  // A SIGCONT before the stop is taken cancels the stop, and the other way round; SIGKILL always
  // works.
  CHECK_OK(kill(pid, SIGKILL));
  WAIT_SIGNAL(pid, SIGKILL);

  // A handler for SIGCONT runs; a blocked read goes on without an error after stop and continue.
  int ends[2];
  CHECK_OK(pipe(ends));
  pid = Fork();
  if (pid == 0) {
    Handle(SIGCONT, OnCont, SA_RESTART);
    counters[3] = 1;
    char byte;
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    _exit(continued == SIGCONT ? 0 : 1);
  }
  CHECK(EVENTUALLY(counters[3]));
  LetBlock(pid);
  CHECK_OK(kill(pid, SIGSTOP));
  CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
  CHECK_OK(kill(pid, SIGCONT));
  CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
  CHECK(EVENTUALLY(TaskState(pid) == 'S'));
  CHECK_EQ(write(ends[1], "x", 1), 1);
  WAIT_EXIT(pid, 0);

  // SIGCONT throws away pending stop signals and a stop signal throws away a pending SIGCONT.
  IN_CHILD({
    Mask(SIG_BLOCK, SIGTSTP);
    Mask(SIG_BLOCK, SIGCONT);
    CHECK_OK(raise(SIGTSTP));
    CHECK(IsPending(SIGTSTP));
    CHECK_OK(raise(SIGCONT));
    CHECK(!IsPending(SIGTSTP));
    Handle(SIGCONT, OnCont, 0);
    CHECK_OK(raise(SIGCONT));
    CHECK(IsPending(SIGCONT));
    CHECK_OK(raise(SIGTSTP));
    CHECK(!IsPending(SIGCONT));
  });

  // One that has ended neither stops nor goes on: nothing to wait for.
  pid = Fork();
  if (pid == 0) _exit(0);
  siginfo_t info;
  CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
  CHECK_ERR(waitid(P_PID, (id_t)pid, &info, WSTOPPED), ECHILD);
  CHECK_ERR(waitid(P_ALL, 0, &info, WCONTINUED | WNOHANG), ECHILD);
  WAIT_EXIT(pid, 0);

  // SIGCONT calls off a stop, however soon after it comes.
  pid = Fork();
  if (pid == 0) {
    for (;;) {
    }
  }
  for (int i = 0; i < 300; i++) {
    CHECK_OK(kill(pid, SIGSTOP));
    CHECK_OK(kill(pid, SIGCONT));
  }
  CHECK(EVENTUALLY(TaskState(pid) == 'R'));
  CHECK_OK(kill(pid, SIGKILL));
  WAIT_SIGNAL(pid, SIGKILL);

  // A signal wakes at once, not when the woken one comes to say so.
  pid = Fork();
  if (pid == 0) {
    Handle(SIGUSR1, OnCont, 0);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    for (;;) pause();
  }
  char ready;
  CHECK_EQ(read(ends[0], &ready, 1), 1);
  AWAIT_STATE(pid, 'S');
  CHECK_OK(kill(pid, SIGSTOP));
  CHECK(TaskState(pid) != 'S');
  CHECK_OK(kill(pid, SIGKILL));
  WAIT_SIGNAL(pid, SIGKILL);
  return 0;
}
