// Locks over fork and exec: record locks stay with the process, flock's with the open file.
#include <sys/file.h>

#include "check.h"

static int Lock(int fd, int type) {
  struct flock lock = {.l_type = (short)type, .l_whence = SEEK_SET};
  return fcntl(fd, F_SETLK, &lock);
}

int main(int argc, char** argv) {
  if (argc == 2) {  // after exec: tell the parent, keep the locks until the end
    char c;
    if (write(atoi(argv[1]), "e", 1) != 1) return 1;
    return read(0, &c, 1) == 1 ? 0 : 1;
  }
  TempDir();
  int record = (int)CHECK_OK(open("r", O_RDWR | O_CREAT, 0600));
  int whole = (int)CHECK_OK(open("w", O_RDWR | O_CREAT, 0600));
  CHECK_OK(Lock(record, F_WRLCK));
  CHECK_OK(flock(whole, LOCK_EX));
  IN_CHILD({
    CHECK_ERR(Lock(record, F_WRLCK), EAGAIN);   // not inherited
    CHECK_OK(flock(whole, LOCK_EX | LOCK_NB));  // the same lock
    close(record);                              // drops nothing of the parent's
    int own = (int)CHECK_OK(open("r", O_RDWR));
    CHECK_ERR(Lock(own, F_WRLCK), EAGAIN);
  });
  CHECK_OK(Lock(record, F_UNLCK));
  CHECK_OK(flock(whole, LOCK_UN));

  int in[2], out[2];
  CHECK_OK(pipe(in));
  CHECK_OK(pipe(out));
  pid_t pid = Fork();
  if (pid == 0) {
    int mine = (int)CHECK_OK(open("r", O_RDWR));
    int other = (int)CHECK_OK(open("w", O_RDWR));
    CHECK_OK(Lock(mine, F_WRLCK));
    CHECK_OK(flock(other, LOCK_EX));
    dup2(in[0], 0);
    char number[16];
    snprintf(number, sizeof number, "%d", out[1]);
    execl("/proc/self/exe", argv[0], number, (char*)NULL);
    _exit(1);
  }
  char c;
  CHECK_EQ(read(out[0], &c, 1), 1);
  CHECK_ERR(Lock(record, F_WRLCK), EAGAIN);
  CHECK_ERR(flock(whole, LOCK_EX | LOCK_NB), EWOULDBLOCK);
  CHECK_EQ(write(in[1], "g", 1), 1);
  WAIT_EXIT(pid, 0);
  CHECK_OK(Lock(record, F_WRLCK));
  CHECK_OK(flock(whole, LOCK_EX | LOCK_NB));
  return 0;
}
