// flock(2): shared and exclusive, by description, upgrade, waiting, independent of fcntl's locks.
#include <sys/file.h>

#include "check.h"

static void Nothing(int number) { (void)number; }

int main(void) {
  TempDir();
  int a = (int)CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
  int b = (int)CHECK_OK(open("f", O_RDONLY));
  CHECK_OK(flock(a, LOCK_SH));
  CHECK_OK(flock(b, LOCK_SH | LOCK_NB));
  CHECK_ERR(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
  CHECK_OK(flock(a, LOCK_UN));
  CHECK_OK(flock(b, LOCK_EX | LOCK_NB));  // readers' descriptors may lock exclusively
  CHECK_OK(flock(b, LOCK_EX));            // again: nothing to wait for
  CHECK_ERR(flock(a, LOCK_SH | LOCK_NB), EWOULDBLOCK);
  CHECK_OK(flock(b, LOCK_SH));  // down
  CHECK_OK(flock(a, LOCK_SH | LOCK_NB));
  CHECK_OK(flock(a, LOCK_UN));
  CHECK_OK(flock(a, LOCK_UN));

  // Shared with copies and children: either may release it.
  CHECK_OK(flock(b, LOCK_EX));
  int copy = (int)CHECK_OK(dup(b));
  close(b);
  CHECK_ERR(flock(a, LOCK_EX | LOCK_NB), EWOULDBLOCK);
  IN_CHILD(CHECK_OK(flock(copy, LOCK_UN)));
  CHECK_OK(flock(a, LOCK_EX | LOCK_NB));
  struct flock record = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  IN_CHILD({
    int own = (int)CHECK_OK(open("f", O_RDWR));
    CHECK_OK(fcntl(own, F_SETLK, &record));
    CHECK_ERR(flock(own, LOCK_SH | LOCK_NB), EWOULDBLOCK);
  });

  // Waiting, and a signal's handler that ends it.
  int ends[2];
  CHECK_OK(pipe(ends));
  pid_t pid = Fork();
  if (pid == 0) {
    int own = (int)CHECK_OK(open("f", O_RDWR));
    Handle(SIGUSR1, Nothing, 0);
    CHECK_EQ(write(ends[1], "r", 1), 1);
    CHECK_ERR(flock(own, LOCK_EX), EINTR);
    CHECK_EQ(write(ends[1], "i", 1), 1);
    while (flock(own, LOCK_EX) == -1) CHECK_EQ(errno, EINTR);
    CHECK_EQ(write(ends[1], "g", 1), 1);
    _exit(0);
  }
  char c;
  CHECK_EQ(read(ends[0], &c, 1), 1);
  CHECK_OK(fcntl(ends[0], F_SETFL, O_NONBLOCK));
  while (read(ends[0], &c, 1) == -1) {
    CHECK_OK(kill(pid, SIGUSR1));
    Nap(2);
  }
  CHECK_EQ(c, 'i');
  LetBlock(pid);
  CHECK_ERR(read(ends[0], &c, 1), EAGAIN);
  CHECK_OK(flock(a, LOCK_UN));
  WAIT_EXIT(pid, 0);
  CHECK_EQ(read(ends[0], &c, 1), 1);
  CHECK_EQ(c, 'g');

  CHECK_ERR(flock(a, 0), EINVAL);
  CHECK_ERR(flock(a, LOCK_SH | LOCK_EX), EINVAL);
  CHECK_ERR(flock(-1, LOCK_SH), EBADF);
  int path = (int)CHECK_OK(open("f", O_PATH));
  CHECK_ERR(flock(path, LOCK_SH), EBADF);
  int dir = (int)CHECK_OK(open(".", O_RDONLY));
  CHECK_OK(flock(dir, LOCK_EX));
  return 0;
}
