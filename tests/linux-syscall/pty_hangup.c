// Hang-up: the master closes, or the leader ends: SIGHUP and SIGCONT, EIO, end of file.

#include "pty.h"

int main(void) {
  int master, slave;
  char name[64], c;
  OpenPty(&master, &slave);
  int ends[2];
  CHECK_OK(pipe(ends));

  // The master goes: the session's leader gets SIGHUP.
  pid_t pid = Fork();
  if (pid == 0) {
    close(master);
    CHECK_OK(setsid());
    CHECK_OK(ioctl(slave, TIOCSCTTY, 0));
    CHECK_EQ(write(ends[1], "r", 1), 1);
    for (;;) pause();
  }
  CHECK_EQ(read(ends[0], &c, 1), 1);
  close(master);
  WAIT_SIGNAL(pid, SIGHUP);
  close(slave);

  // One that sleeps in read gets the end of file.
  OpenPty(&master, &slave);
  pid = Fork();
  if (pid == 0) {
    close(master);
    ssize_t n = read(slave, &c, 1);
    if (n == -1) CHECK_EQ(errno, EIO);
    CHECK(n <= 0);
    CHECK_ERR(write(slave, "x", 1), EIO);
    _exit(0);
  }
  LetBlock(pid);
  close(master);
  WAIT_EXIT(pid, 0);
  close(slave);

  // The leader ends: its foreground group gets SIGHUP, and the terminal is free for another
  // session.
  master = OpenMaster(name);
  int gone[2];
  CHECK_OK(pipe(gone));
  pid = Fork();
  if (pid == 0) {
    close(gone[0]);
    CHECK_OK(setsid());
    slave = (int)CHECK_OK(open(name, O_RDWR));
    if (Fork() == 0) {
      close(ends[0]);
      CHECK_EQ(write(ends[1], "r", 1), 1);
      for (;;) pause();
    }
    CHECK_EQ(read(ends[0], &c, 1), 1);
    _exit(0);
  }
  WAIT_EXIT(pid, 0);
  close(gone[1]);
  CHECK_EQ(read(gone[0], &c, 1), 0);  // SIGHUP ended the child, which held the other end
  pid = Fork();
  if (pid == 0) {
    CHECK_OK(setsid());
    slave = (int)CHECK_OK(open(name, O_RDWR | O_NOCTTY));
    CHECK_OK(ioctl(slave, TIOCSCTTY, 0));
    _exit(0);
  }
  WAIT_EXIT(pid, 0);
  return 0;
}
