// Pseudo-terminals and their names: ttyname(3) however they were opened, a devpts of its own for
// each mount, what a master may and may not be asked for.
#include <pty.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <termios.h>

#include "pty.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER 0x5441
#endif

static void CheckName(int fd, const char* wanted) {
  const char* const name = ttyname(fd);
  if (!name) FAIL("ttyname of %s", wanted);
  CHECK_STR(name, wanted);
  struct stat own, named;
  CHECK_OK(fstat(fd, &own));
  CHECK_OK(stat(wanted, &named));
  CHECK_EQ(own.st_dev, named.st_dev);
  CHECK_EQ(own.st_ino, named.st_ino);
  CHECK_EQ(own.st_rdev, named.st_rdev);
}

// A second devpts has numbers of its own, and knows nothing of the first.
static void OtherInstance(void) {
  CHECK_OK(mkdir("pts", 0755));
  if (mount("devpts", "pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=0600") != 0) return;
  int master = (int)CHECK_OK(open("pts/ptmx", O_RDWR | O_NOCTTY));
  unsigned number;
  CHECK_OK(ioctl(master, TIOCGPTN, &number));
  CHECK_EQ(number, 0);
  CHECK_OK(unlockpt(master));
  int slave = (int)CHECK_OK(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY));
  struct stat peer, node;
  CHECK_OK(fstat(slave, &peer));
  CHECK_OK(stat("pts/0", &node));
  CHECK_EQ(peer.st_dev, node.st_dev);
  CHECK_EQ(peer.st_ino, node.st_ino);
  CHECK_EQ(peer.st_mode, S_IFCHR | 0600);
  char name[64];
  int other = OpenMaster(name);
  CHECK_OK(stat(name, &node));
  CHECK(node.st_dev != peer.st_dev);
  CHECK_ERR(access("pts/1", F_OK), ENOENT);
  close(other);
  close(slave);
  close(master);
  CHECK_OK(umount("pts"));
  // Where no devpts is beside it, a ptmx has none to use.
  if (mknod("ptmx", S_IFCHR | 0600, makedev(5, 2)) != 0) return;
  CHECK_ERR(open("ptmx", O_RDWR | O_NOCTTY), ENODEV);
}

// What a master is asked for is done to the slave, or is nothing for a master.
static void AskTheMaster(void) {
  int master, slave;
  OpenPty(&master, &slave);
  CHECK_OK(setsid());
  CHECK_ERR(ioctl(master, TIOCNOTTY), ENOTTY);
  CHECK_OK(ioctl(master, TIOCSCTTY, 0));
  CHECK_EQ(tcgetsid(slave), getpid());
  CHECK_EQ(tcgetpgrp(slave), getpgrp());
  CHECK_ERR(ioctl(master, TIOCNOTTY), ENOTTY);
  CHECK_EQ(tcgetsid(slave), getpid());
  int on = 1;
  CHECK_OK(ioctl(master, TIOCPKT, &on));
  CHECK_OK(tcflush(master, TCIOFLUSH));
  CHECK_OK(fcntl(master, F_SETFL, O_NONBLOCK));
  char status;
  CHECK_ERR(read(master, &status, 1), EAGAIN);  // it need not be told what it did
  CHECK_OK(tcflush(slave, TCIFLUSH));
  CHECK_EQ(read(master, &status, 1), 1);
  CHECK_EQ(status, TIOCPKT_FLUSHREAD);
}

int main(void) {
  TempDir();
  int master, slave;
  char name[64];
  CHECK_OK(openpty(&master, &slave, name, NULL, NULL));
  CheckName(slave, name);
  int again = (int)CHECK_OK(open(name, O_RDWR | O_NOCTTY));
  CheckName(again, name);
  int peer = (int)CHECK_OK(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY));
  CheckName(peer, name);
  CHECK_OK(fchmod(peer, 0622));
  struct stat status;
  CHECK_OK(stat(name, &status));
  CHECK_EQ(status.st_mode, S_IFCHR | 0622);
  IN_CHILD(AskTheMaster());
  if (IsRoot()) OtherInstance();
  return 0;
}
