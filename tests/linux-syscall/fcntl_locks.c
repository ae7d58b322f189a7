// Record locks of fcntl(2): per process, ranges split and join, F_GETLK tells who, close drops all.
#include "check.h"

static int Lock(int fd, int command, int type, off_t start, off_t length) {
  struct flock lock = {
      .l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
  return fcntl(fd, command, &lock);
}

// What a child would meet: the type of the first lock in its way, F_UNLCK if none.
static struct flock Meet(int fd, off_t start, off_t length) {
  int ends[2];
  CHECK_OK(pipe(ends));
  pid_t pid = Fork();
  if (pid == 0) {
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    CHECK_OK(fcntl(fd, F_GETLK, &lock));
    CHECK_EQ(write(ends[1], &lock, sizeof lock), sizeof lock);
    _exit(0);
  }
  WAIT_EXIT(pid, 0);
  struct flock lock;
  CHECK_EQ(read(ends[0], &lock, sizeof lock), sizeof lock);
  close(ends[0]);
  close(ends[1]);
  return lock;
}

int main(void) {
  TempDir();
  int fd = (int)CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
  CHECK_OK(Lock(fd, F_SETLK, F_WRLCK, 10, 20));
  struct flock met = Meet(fd, 0, 100);
  CHECK_EQ(met.l_type, F_WRLCK);
  CHECK_EQ(met.l_start, 10);
  CHECK_EQ(met.l_len, 20);
  CHECK_EQ(met.l_whence, SEEK_SET);
  CHECK_EQ(met.l_pid, getpid());
  CHECK_EQ(Meet(fd, 0, 10).l_type, F_UNLCK);
  CHECK_EQ(Meet(fd, 30, 0).l_type, F_UNLCK);
  CHECK_EQ(Meet(fd, 29, 1).l_type, F_WRLCK);
  // One's own locks are never in the way.
  struct flock own = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0};
  CHECK_OK(fcntl(fd, F_GETLK, &own));
  CHECK_EQ(own.l_type, F_UNLCK);

  // Of several in the way the first in the file is told, whichever was there first.
  CHECK_OK(Lock(fd, F_SETLK, F_RDLCK, 2, 3));
  CHECK_OK(Lock(fd, F_SETLK, F_WRLCK, 50, 5));
  CHECK_EQ(Meet(fd, 0, 0).l_start, 2);
  CHECK_EQ(Meet(fd, 5, 0).l_start, 10);
  CHECK_EQ(Meet(fd, 31, 0).l_start, 50);
  CHECK_OK(Lock(fd, F_SETLK, F_UNLCK, 0, 5));
  CHECK_OK(Lock(fd, F_SETLK, F_UNLCK, 50, 0));

  // Unlocking the middle leaves two; locking it otherwise makes three.
  CHECK_OK(Lock(fd, F_SETLK, F_UNLCK, 15, 5));
  CHECK_EQ(Meet(fd, 0, 0).l_len, 5);
  CHECK_EQ(Meet(fd, 15, 5).l_type, F_UNLCK);
  CHECK_EQ(Meet(fd, 15, 0).l_start, 20);
  CHECK_OK(Lock(fd, F_SETLK, F_WRLCK, 15, 5));
  CHECK_EQ(Meet(fd, 0, 0).l_len, 20);  // joined again
  CHECK_OK(Lock(fd, F_SETLK, F_RDLCK, 12, 3));
  CHECK_EQ(Meet(fd, 12, 1).l_type, F_RDLCK);
  CHECK_EQ(Meet(fd, 12, 1).l_len, 3);
  CHECK_EQ(Meet(fd, 15, 1).l_type, F_WRLCK);

  IN_CHILD({
    CHECK_ERR(Lock(fd, F_SETLK, F_WRLCK, 0, 0), EAGAIN);
    CHECK_OK(Lock(fd, F_SETLK, F_RDLCK, 12, 3));  // readers share
    CHECK_ERR(Lock(fd, F_SETLK, F_WRLCK, 12, 3), EAGAIN);
    CHECK_ERR(Lock(fd, F_SETLK, F_RDLCK, 10, 1), EAGAIN);
    CHECK_OK(Lock(fd, F_SETLK, F_WRLCK, 100, 0));
    CHECK_OK(Lock(fd, F_SETLK, F_UNLCK, 0, 0));  // not ours: nothing to undo
  });
  CHECK_EQ(Meet(fd, 10, 1).l_type, F_WRLCK);

  // Lengths of zero reach the end of all files; negative ones go backwards; SEEK_CUR and SEEK_END
  // count.
  CHECK_OK(Lock(fd, F_SETLK, F_UNLCK, 0, 0));
  CHECK_OK(Lock(fd, F_SETLK, F_WRLCK, 50, -10));
  met = Meet(fd, 0, 0);
  CHECK_EQ(met.l_start, 40);
  CHECK_EQ(met.l_len, 10);
  CHECK_OK(Lock(fd, F_SETLK, F_UNLCK, 0, 0));
  CHECK_EQ(pwrite(fd, "0123456789", 10, 0), 10);
  CHECK_OK(lseek(fd, 4, SEEK_SET));
  struct flock relative = {.l_type = F_WRLCK, .l_whence = SEEK_CUR, .l_start = 1, .l_len = 2};
  CHECK_OK(fcntl(fd, F_SETLK, &relative));
  CHECK_EQ(Meet(fd, 0, 0).l_start, 5);
  relative = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = -1, .l_len = 0};
  CHECK_OK(fcntl(fd, F_SETLK, &relative));
  CHECK_EQ(Meet(fd, 9, 0).l_len, 0);
  CHECK_EQ(Meet(fd, 1 << 30, 1).l_type, F_WRLCK);

  // Closing any descriptor of the file drops the process's locks.
  close((int)CHECK_OK(open("f", O_RDONLY)));
  CHECK_EQ(Meet(fd, 0, 0).l_type, F_UNLCK);

  CHECK_ERR(Lock(fd, F_SETLK, F_WRLCK, -1, 5), EINVAL);
  CHECK_ERR(Lock(fd, F_SETLK, F_WRLCK, 5, -6), EINVAL);
  CHECK_ERR(Lock(fd, F_SETLK, 77, 0, 5), EINVAL);
  CHECK_ERR(Lock(fd, F_SETLK, F_WRLCK, INT64_MAX, 2), EOVERFLOW);
  CHECK_ERR(fcntl(fd, F_SETLK, NULL), EFAULT);
  CHECK_ERR(Lock(-1, F_SETLK, F_WRLCK, 0, 5), EBADF);
  int reader = (int)CHECK_OK(open("f", O_RDONLY));
  CHECK_ERR(Lock(reader, F_SETLK, F_WRLCK, 0, 5), EBADF);
  CHECK_OK(Lock(reader, F_SETLK, F_RDLCK, 0, 5));
  int writer = (int)CHECK_OK(open("f", O_WRONLY));
  CHECK_ERR(Lock(writer, F_SETLK, F_RDLCK, 0, 5), EBADF);
  return 0;
}
