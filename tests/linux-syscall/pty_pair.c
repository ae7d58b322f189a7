// Pseudo-terminals: opening, locking, names, data both ways, output processing, sizes of reads,
// hang-up.
#include <poll.h>
#include <sys/sysmacros.h>
#include <termios.h>

#include "pty.h"

int main(void) {
  int master = (int)CHECK_OK(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  int locked = -1, number = -1;
  CHECK_OK(ioctl(master, TIOCGPTN, &number));
  char name[64], wanted[64];
  CHECK_EQ(ptsname_r(master, name, sizeof name), 0);
  snprintf(wanted, sizeof wanted, "/dev/pts/%d", number);
  CHECK_STR(name, wanted);
  CHECK_OK(ioctl(master, TIOCGPTLCK, &locked));
  CHECK_EQ(locked, 1);
  CHECK_ERR(open(name, O_RDWR | O_NOCTTY), EIO);  // locked
  CHECK_OK(grantpt(master));
  CHECK_OK(unlockpt(master));
  int slave = (int)CHECK_OK(open(name, O_RDWR | O_NOCTTY));
  CHECK(isatty(master) && isatty(slave));
  struct stat st;
  CHECK_OK(fstat(slave, &st));
  CHECK(S_ISCHR(st.st_mode));
  CHECK_EQ(major(st.st_rdev), 136);
  CHECK_EQ(minor(st.st_rdev), number);
  CHECK_EQ(st.st_uid, getuid());

  char text[64];
  CHECK_EQ(write(slave, "out\n", 4), 4);
  AwaitInput(master, 5);
  CHECK_EQ(read(master, text, sizeof text), 5);  // ONLCR
  CHECK_MEM(text, "out\r\n", 5);
  CHECK_EQ(write(master, "in\r", 3), 3);
  CHECK_EQ(read(slave, text, sizeof text), 3);  // ICRNL
  CHECK_MEM(text, "in\n", 3);
  AwaitInput(master, 4);
  CHECK_EQ(read(master, text, sizeof text), 4);  // the echo
  CHECK_MEM(text, "in\r\n", 4);

  CHECK_OK(fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK));
  CHECK_ERR(read(master, text, 1), EAGAIN);
  struct pollfd polled = {master, POLLIN | POLLOUT, 0};
  CHECK_EQ(poll(&polled, 1, 0), 1);
  CHECK_EQ(polled.revents, POLLOUT);
  CHECK_EQ(write(slave, "xyz", 3), 3);
  AwaitInput(master, 3);
  CHECK_ERR(lseek(slave, 0, SEEK_CUR), ESPIPE);

  // The last slave closes: the master reads what is left, then EIO, until somebody opens it again.
  close(slave);
  CHECK_EQ(read(master, text, sizeof text), 3);
  CHECK_ERR(read(master, text, 1), EIO);
  CHECK_EQ(poll(&polled, 1, 0), 1);
  CHECK(polled.revents & POLLHUP);
  slave = (int)CHECK_OK(open(name, O_RDWR | O_NOCTTY));
  CHECK_ERR(read(master, text, 1), EAGAIN);

  // The master closes: the slave is hung up.
  close(master);
  CHECK_EQ(read(slave, text, 1), 0);
  CHECK_ERR(write(slave, "x", 1), EIO);
  struct termios termios;
  CHECK_ERR(tcgetattr(slave, &termios), EIO);
  polled = (struct pollfd){slave, POLLIN, 0};
  CHECK_EQ(poll(&polled, 1, 0), 1);
  CHECK(polled.revents & POLLHUP);
  CHECK_ERR(open(name, O_RDWR | O_NOCTTY), ENOENT);
  return 0;
}
