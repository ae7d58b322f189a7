// Caught signals that come all the time while fork, vfork and clone run: the calls succeed, and the
// handlers run. A signal for a whole process group misses no child.
#include "proc.h"

enum { kForks = 60 };

static volatile sig_atomic_t handled;
static void Count(int number) { handled += number != 0; }

static void SetTimer(long microseconds) {
  const struct itimerval timer = {{0, microseconds}, {0, microseconds}};
  CHECK_OK(setitimer(ITIMER_REAL, &timer, NULL));
}

static void* Nothing(void* arg) { return arg; }

static void ReapOne(pid_t pid) {
  int status;
  while (waitpid(pid, &status, 0) == -1) CHECK_EQ(errno, EINTR);
  CHECK_EQ(status, 0);
}

static pid_t Vfork(void) {
  pid_t pid = vfork();
  if (pid == 0) _exit(0);
  return pid;
}

int main(void) {
  Handle(SIGALRM, Count, SA_RESTART);
  Handle(SIGCHLD, Count, SA_RESTART);
  SetTimer(300);
  for (int i = 0; i < kForks; i++) {
    const pid_t pid = (pid_t)CHECK_OK(fork());
    if (pid == 0) _exit(0);
    ReapOne(pid);
    ReapOne((pid_t)CHECK_OK(Vfork()));
    JoinThread(StartThread(Nothing, NULL));
  }
  SetTimer(0);
  CHECK(handled > 0);

  // Children that end while their parent forks.
  for (int i = 0; i < kForks; i++)
    if (CHECK_OK(fork()) == 0) _exit(0);
  for (int i = 0; i < kForks; i++) {
    while (wait(NULL) == -1) CHECK_EQ(errno, EINTR);
  }
  CHECK_ERR(wait(NULL), ECHILD);

  // A process that forks without end, each child going on in its parent's place: one signal for the
  // group ends all.
  for (int i = 0; i < 10; i++) {
    int ends[2];
    CHECK_OK(pipe(ends));
    const pid_t first = (pid_t)CHECK_OK(fork());
    if (first == 0) {
      signal(SIGTERM, SIG_DFL);
      setpgid(0, 0);
      close(ends[0]);
      CHECK_EQ(write(ends[1], "x", 1), 1);
      for (;;) {
        const pid_t child = fork();
        if (child > 0) _exit(0);
      }
    }
    close(ends[1]);
    char byte;
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    Nap(1);
    CHECK_OK(kill(-first, SIGTERM));
    CHECK_EQ(read(ends[0], &byte, 1), 0);  // nobody holds the other end any more
    close(ends[0]);
    while (waitpid(first, NULL, 0) == -1) CHECK_EQ(errno, EINTR);
  }
  return 0;
}
