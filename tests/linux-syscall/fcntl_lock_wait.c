// F_SETLKW: waiting for another process, signals, death of the holder, deadlock.
#include "check.h"

static int Lock(int fd, int command, int type, off_t start) {
  struct flock lock = {.l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = 1};
  return fcntl(fd, command, &lock);
}

static void Nothing(int number) { (void)number; }

int main(void) {
  TempDir();
  int fd = (int)CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
  char c;

  // Granted when the holder unlocks.
  int ends[2];
  CHECK_OK(pipe(ends));
  CHECK_OK(Lock(fd, F_SETLK, F_WRLCK, 0));
  pid_t pid = Fork();
  if (pid == 0) {
    CHECK_OK(Lock(fd, F_SETLKW, F_WRLCK, 0));
    CHECK_EQ(write(ends[1], "g", 1), 1);
    pause();
  }
  LetBlock(pid);
  CHECK_OK(Lock(fd, F_SETLK, F_UNLCK, 0));
  CHECK_EQ(read(ends[0], &c, 1), 1);
  CHECK_ERR(Lock(fd, F_SETLK, F_WRLCK, 0), EAGAIN);
  // Granted when the holder dies.
  CHECK_OK(kill(pid, SIGKILL));
  CHECK_OK(Lock(fd, F_SETLKW, F_WRLCK, 0));
  WAIT_SIGNAL(pid, SIGKILL);

  // A handler without SA_RESTART ends the wait.
  pid = Fork();
  if (pid == 0) {
    Handle(SIGUSR1, Nothing, 0);
    CHECK_EQ(write(ends[1], "r", 1), 1);
    CHECK_ERR(Lock(fd, F_SETLKW, F_WRLCK, 0), EINTR);
    _exit(0);
  }
  CHECK_EQ(read(ends[0], &c, 1), 1);
  int status;
  while (waitpid(pid, &status, WNOHANG) ==
         0) {  // again and again: it may not have been waiting yet
    kill(pid, SIGUSR1);
    Nap(2);
  }
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);

  // Two that wait for each other: one is refused.
  int go[2];
  CHECK_OK(pipe(go));
  CHECK_OK(Lock(fd, F_SETLK, F_WRLCK, 0));
  pid = Fork();
  if (pid == 0) {
    CHECK_OK(Lock(fd, F_SETLK, F_WRLCK, 1));
    CHECK_EQ(write(go[1], "1", 1), 1);
    int got = Lock(fd, F_SETLKW, F_WRLCK, 0);
    if (got == -1) CHECK_EQ(errno, EDEADLK);
    _exit(got == 0 ? 0 : 7);
  }
  CHECK_EQ(read(go[0], &c, 1), 1);
  LetBlock(pid);
  int got = Lock(fd, F_SETLKW, F_WRLCK, 1);
  if (got == -1) {
    CHECK_EQ(errno, EDEADLK);
    CHECK_OK(Lock(fd, F_SETLK, F_UNLCK, 0));
    WAIT_EXIT(pid, 0);
  } else {
    WAIT_EXIT(pid, 7);
  }
  return 0;
}
