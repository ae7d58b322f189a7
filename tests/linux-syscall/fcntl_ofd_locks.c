// Open-file-description locks: they belong to the description, not the process.
#include "check.h"

static int Lock(int fd, int command, int type, off_t start, off_t length) {
  struct flock lock = {
      .l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
  return fcntl(fd, command, &lock);
}

int main(void) {
  TempDir();
  int a = (int)CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
  int b = (int)CHECK_OK(open("f", O_RDWR));
  CHECK_OK(Lock(a, F_OFD_SETLK, F_WRLCK, 0, 10));
  CHECK_ERR(Lock(b, F_OFD_SETLK, F_WRLCK, 5, 1), EAGAIN);  // same process, other description
  CHECK_ERR(Lock(b, F_SETLK, F_WRLCK, 5, 1), EAGAIN);      // against record locks too
  CHECK_OK(Lock(b, F_OFD_SETLK, F_WRLCK, 10, 1));
  struct flock met = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0};
  CHECK_OK(fcntl(b, F_OFD_GETLK, &met));
  CHECK_EQ(met.l_type, F_WRLCK);
  CHECK_EQ(met.l_pid, -1);
  CHECK_EQ(met.l_len, 10);
  met =
      (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0, .l_pid = 1};
  CHECK_ERR(fcntl(b, F_OFD_GETLK, &met), EINVAL);  // l_pid must be zero

  // Copies and children share it; another close does not drop it; the last one does.
  int copy = (int)CHECK_OK(dup(a));
  close((int)CHECK_OK(open("f", O_RDONLY)));
  CHECK_ERR(Lock(b, F_OFD_SETLK, F_WRLCK, 0, 1), EAGAIN);
  IN_CHILD(CHECK_OK(Lock(a, F_OFD_SETLK, F_RDLCK, 0, 5)));
  CHECK_OK(Lock(b, F_OFD_SETLK, F_RDLCK, 0, 5));
  CHECK_OK(Lock(b, F_OFD_SETLK, F_UNLCK, 0, 5));
  close(a);
  CHECK_ERR(Lock(b, F_OFD_SETLK, F_WRLCK, 0, 1), EAGAIN);
  close(copy);
  CHECK_OK(Lock(b, F_OFD_SETLK, F_WRLCK, 0, 1));

  // Waiting: another process releases by closing its description.
  int ends[2];
  CHECK_OK(pipe(ends));
  pid_t pid = Fork();
  if (pid == 0) {
    int own = (int)CHECK_OK(open("f", O_RDWR));
    CHECK_OK(Lock(own, F_OFD_SETLK, F_WRLCK, 100, 1));
    CHECK_EQ(write(ends[1], "l", 1), 1);
    Nap(30);
    close(own);
    _exit(0);
  }
  char c;
  CHECK_EQ(read(ends[0], &c, 1), 1);
  CHECK_OK(Lock(b, F_OFD_SETLKW, F_WRLCK, 100, 1));
  WAIT_EXIT(pid, 0);
  return 0;
}
