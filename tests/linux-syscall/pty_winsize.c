// Window sizes of terminals: TIOCGWINSZ, TIOCSWINSZ from either side, SIGWINCH to the foreground.

#include "pty.h"

static volatile sig_atomic_t changes;
static void OnChange(int number) {
  (void)number;
  changes++;
}

int main(void) {
  int master, slave;
  OpenPty(&master, &slave);
  struct winsize size = {9, 9, 9, 9}, other = {24, 80, 640, 480};
  CHECK_OK(ioctl(slave, TIOCGWINSZ, &size));
  CHECK_EQ(size.ws_row, 0);
  CHECK_EQ(size.ws_col, 0);
  CHECK_OK(ioctl(master, TIOCSWINSZ, &other));
  CHECK_OK(ioctl(slave, TIOCGWINSZ, &size));
  CHECK_MEM(&size, &other, sizeof size);
  other.ws_row = 50;
  CHECK_OK(ioctl(slave, TIOCSWINSZ, &other));
  CHECK_OK(ioctl(master, TIOCGWINSZ, &size));
  CHECK_EQ(size.ws_row, 50);
  CHECK_ERR(ioctl(slave, TIOCGWINSZ, NULL), EFAULT);

  // Who has it as controlling terminal, in the foreground, is told of changes, and only of changes.
  int told[2];
  CHECK_OK(pipe(told));
  pid_t pid = Fork();
  if (pid == 0) {
    CHECK_OK(setsid());
    CHECK_OK(ioctl(slave, TIOCSCTTY, 0));
    Handle(SIGWINCH, OnChange, 0);
    sigset_t blocked, open_mask;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGWINCH);
    CHECK_OK(sigprocmask(SIG_BLOCK, &blocked, &open_mask));
    CHECK_EQ(write(told[1], "r", 1), 1);
    while (changes == 0) sigsuspend(&open_mask);
    CHECK_OK(ioctl(slave, TIOCGWINSZ, &size));
    CHECK_EQ(size.ws_row, 60);
    _exit(changes == 1 ? 0 : 1);
  }
  char c;
  CHECK_EQ(read(told[0], &c, 1), 1);
  CHECK_OK(ioctl(master, TIOCSWINSZ, &other));  // the same: no signal
  other.ws_row = 60;
  CHECK_OK(ioctl(master, TIOCSWINSZ, &other));
  WAIT_EXIT(pid, 0);
  return 0;
}
