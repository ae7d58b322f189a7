// CLONE_PARENT makes a sibling; the exit signal chooses what the parent gets and who counts for
// __WCLONE.
#include "proc.h"

static char stack[64 * 1024] __attribute__((aligned(16)));
static volatile sig_atomic_t got_usr1, got_chld;

static void Count(int number) {
  if (number == SIGUSR1) got_usr1++;
  if (number == SIGCHLD) got_chld++;
}

static int Sibling(void* arg) { return getppid() == *(pid_t*)arg ? 33 : 1; }
static int Quit(void* arg) { return *(int*)arg; }

int main(void) {
  static pid_t top;
  top = getpid();
  int* word = SharedPage();
  pid_t pid = Fork();
  if (pid == 0) {
    *word = (int)CHECK_OK(clone(Sibling, stack + sizeof stack, CLONE_PARENT | SIGCHLD, &top));
    CHECK_ERR(waitpid(*word, NULL, __WALL), ECHILD);
    _exit(0);
  }
  WAIT_EXIT(pid, 0);
  WAIT_EXIT(*word, 33);

  Handle(SIGUSR1, Count, 0);
  Handle(SIGCHLD, Count, 0);
  int code = 5, status;
  pid = (pid_t)CHECK_OK(clone(Quit, stack + sizeof stack, SIGUSR1, &code));
  CHECK(EVENTUALLY(got_usr1 == 1));
  CHECK_EQ(got_chld, 0);
  CHECK_ERR(waitpid(pid, &status, 0), ECHILD);  // not a child of the ordinary kind
  CHECK_EQ(waitpid(pid, &status, __WCLONE), pid);
  CHECK_EQ(WEXITSTATUS(status), 5);

  pid = (pid_t)CHECK_OK(clone(Quit, stack + sizeof stack, 0, &code));  // no signal at all
  CHECK_EQ(waitpid(-1, &status, __WALL), pid);
  CHECK_EQ(WEXITSTATUS(status), 5);
  CHECK_EQ(got_usr1, 1);
  CHECK_EQ(got_chld, 0);

  pid = Fork();
  if (pid == 0) _exit(0);
  CHECK_ERR(waitpid(pid, &status, __WCLONE), ECHILD);
  WAIT_EXIT(pid, 0);
  CHECK_EQ(got_chld, 1);
  return 0;
}
