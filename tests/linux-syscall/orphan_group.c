// A group with a stopped member that becomes orphaned gets SIGHUP and SIGCONT; terminal stops do
// nothing in one.
#include <sys/prctl.h>

#include "proc.h"

static volatile sig_atomic_t hups, conts;
static void Count(int number) {
  if (number == SIGHUP) hups++;
  if (number == SIGCONT) conts++;
}

struct Shared {
  atomic_int ready, hups, conts;
  pid_t member;
};

static void Member(struct Shared* shared) {
  Handle(SIGHUP, Count, 0);
  Handle(SIGCONT, Count, 0);
  shared->ready = 1;
  while (hups == 0 || conts == 0) Nap(1);
  shared->hups = hups;
  shared->conts = conts;
  // Orphaned now: SIGTSTP, SIGTTIN and SIGTTOU no longer stop by default, SIGSTOP would.
  raise(SIGTSTP);
  raise(SIGTTIN);
  raise(SIGTTOU);
  _exit(44);
}

int main(void) {
  struct Shared* shared = SharedPage();
  CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
  // leader (a session of its own) makes the member in a group of its own, which is not orphaned
  // while leader lives.
  pid_t leader = Fork();
  if (leader == 0) {
    CHECK_OK(setsid());
    pid_t member = Fork();
    if (member == 0) Member(shared);
    shared->member = member;
    CHECK_OK(setpgid(member, member));
    CHECK(EVENTUALLY(shared->ready));
    CHECK_OK(kill(member, SIGTSTP));
    int status;
    CHECK_EQ(waitpid(member, &status, WUNTRACED), member);
    CHECK(WIFSTOPPED(status));
    _exit(0);
  }
  WAIT_EXIT(leader, 0);
  WAIT_EXIT(shared->member, 44);
  CHECK_EQ(shared->hups, 1);
  CHECK_EQ(shared->conts, 1);

  // Without a stopped member nothing is sent.
  memset(shared, 0, sizeof *shared);
  leader = Fork();
  if (leader == 0) {
    CHECK_OK(setsid());
    pid_t top = getpid();
    pid_t member = Fork();
    if (member == 0) {
      Handle(SIGHUP, Count, 0);
      Handle(SIGCONT, Count, 0);
      CHECK_OK(setpgid(0, 0));
      shared->ready = 1;
      CHECK(EVENTUALLY(getppid() != top));
      Nap(10);
      _exit(hups + conts);
    }
    shared->member = member;
    CHECK(EVENTUALLY(shared->ready));
    _exit(0);
  }
  WAIT_EXIT(leader, 0);
  WAIT_EXIT(shared->member, 0);
  return 0;
}
