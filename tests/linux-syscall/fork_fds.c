// fork(2): descriptors are copied, the open files behind them (offset, status flags) are shared.
#include "proc.h"

int main(void) {
  TempDir();
  WriteFile("file", "0123456789");
  int fd = (int)CHECK_OK(open("file", O_RDWR));
  int sealed = (int)CHECK_OK(open("file", O_RDONLY | O_CLOEXEC));
  IN_CHILD({
    char text[4];
    CHECK_EQ(read(fd, text, 4), 4);
    CHECK_OK(fcntl(fd, F_SETFL, O_APPEND));
    CHECK_EQ(fcntl(sealed, F_GETFD), FD_CLOEXEC);
    CHECK_OK(fcntl(sealed, F_SETFD, 0));
    CHECK_OK(close(fd));
    CHECK_EQ(open("/dev/null", O_RDONLY), fd);
  });
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4);
  CHECK(fcntl(fd, F_GETFL) & O_APPEND);
  CHECK_EQ(fcntl(sealed, F_GETFD), FD_CLOEXEC);

  // The read end sees the end of file when the last copy of the write end is gone.
  int ends[2];
  CHECK_OK(pipe(ends));
  pid_t pid = Fork();
  if (pid == 0) {
    close(ends[0]);
    CHECK_EQ(write(ends[1], "abc", 3), 3);
    _exit(0);
  }
  close(ends[1]);
  char text[8];
  CHECK_EQ(read(ends[0], text, sizeof text), 3);
  CHECK_EQ(read(ends[0], text, sizeof text), 0);
  WAIT_EXIT(pid, 0);

  // Record locks are not inherited, the working directory and root are copied.
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  CHECK_OK(fcntl(fd, F_SETLK, &lock));
  CHECK_OK(mkdir("below", 0755));
  pid_t parent = getpid();
  IN_CHILD({
    struct flock probe = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    CHECK_OK(fcntl(fd, F_GETLK, &probe));
    CHECK_EQ(probe.l_type, F_WRLCK);
    CHECK_EQ(probe.l_pid, parent);
    CHECK_OK(chdir("below"));
  });
  CHECK_OK(access("below", F_OK));
  return 0;
}
