// Keys that signal: ^C, ^\, ^Z to the foreground group; NOFLSH; sessions and their controlling
// terminal.
#include <termios.h>

#include "pty.h"

static int master, slave;
static char name[64];

// A session leader on the slave side whose foreground job is itself.
static pid_t Leader(int* ready) {
  int ends[2];
  CHECK_OK(pipe(ends));
  pid_t pid = Fork();
  if (pid == 0) {
    close(master);
    close(ends[0]);
    CHECK_OK(setsid());
    CHECK_OK(ioctl(slave, TIOCSCTTY, 0));
    *ready = ends[1];
    return 0;
  }
  close(ends[1]);
  *ready = ends[0];
  return pid;
}

static void Await(int fd) {
  char c;
  CHECK_EQ(read(fd, &c, 1), 1);
}

static void OpenPair(void) {
  master = OpenMaster(name);
  slave = (int)CHECK_OK(open(name, O_RDWR | O_NOCTTY));
}

static void TestKey(char key, int number) {
  OpenPair();
  int ready;
  pid_t pid = Leader(&ready);
  if (pid == 0) {
    CHECK_EQ(write(ready, "r", 1), 1);
    for (;;) pause();
  }
  Await(ready);
  CHECK_EQ(write(master, "typed", 5), 5);
  CHECK_EQ(write(master, &key, 1), 1);
  WAIT_SIGNAL(pid, number);
  close(master);
  close(slave);
  close(ready);
}

int main(void) {
  TestKey(3, SIGINT);
  TestKey(034, SIGQUIT);

  // ^Z stops, SIGCONT goes on; what was typed before a key is flushed; the key's echo is seen.
  OpenPair();
  int ready;
  pid_t pid = Leader(&ready);
  if (pid == 0) {
    signal(SIGINT, SIG_IGN);
    char c[8];
    pid_t job = Fork();  // in the same session, not an orphan of it
    if (job == 0) {
      CHECK_OK(setpgid(0, 0));
      signal(SIGTTOU, SIG_IGN);
      CHECK_OK(tcsetpgrp(slave, getpgrp()));
      CHECK_EQ(write(ready, "r", 1), 1);
      for (;;) pause();
    }
    int status;
    CHECK_EQ(waitpid(job, &status, WUNTRACED), job);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP);
    CHECK_OK(kill(job, SIGKILL));
    CHECK_EQ(waitpid(job, &status, 0), job);
    signal(SIGTTOU, SIG_IGN);
    CHECK_OK(tcsetpgrp(slave, getpgrp()));
    CHECK_EQ(write(ready, "2", 1), 1);
    CHECK_EQ(read(slave, c, 8), 3);
    CHECK_MEM(c, "ok\n", 3);
    _exit(0);
  }
  Await(ready);
  CHECK_EQ(write(master, "lost\32", 5), 5);
  Await(ready);
  CHECK_EQ(write(master, "lost\3ok\n", 8), 8);
  WAIT_EXIT(pid, 0);
  char text[64];
  ssize_t n = CHECK_OK(read(master, text, sizeof text));
  CHECK(n >= 2);
  close(master);
  close(slave);
  close(ready);

  // /dev/tty is the controlling terminal of whoever opens it; sessions without one get ENXIO.
  OpenPair();
  pid = Leader(&ready);
  if (pid == 0) {
    int tty = (int)CHECK_OK(open("/dev/tty", O_RDWR));
    CHECK_EQ(write(tty, "via tty", 7), 7);
    CHECK_EQ(tcgetpgrp(tty), getpid());
    CHECK_EQ(tcgetsid(slave), getpid());
    CHECK_OK(ioctl(slave, TIOCSCTTY, 0));  // already ours
    IN_CHILD({
      CHECK_ERR(ioctl(slave, TIOCSCTTY, 0), EPERM);  // not the leader
      CHECK_OK(setsid());
      CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
      CHECK_ERR(ioctl(slave, TIOCSCTTY, 0), EPERM);  // another session's
    });
    signal(SIGHUP, SIG_IGN);
    CHECK_OK(ioctl(slave, TIOCNOTTY));
    CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
    _exit(0);
  }
  WAIT_EXIT(pid, 0);
  n = CHECK_OK(read(master, text, sizeof text));
  CHECK_EQ(n, 7);
  CHECK_ERR(tcgetpgrp(slave), ENOTTY);  // not our controlling terminal
  // A leader without a terminal gets one by opening it without O_NOCTTY.
  pid = Fork();
  if (pid == 0) {
    CHECK_OK(setsid());
    CHECK_OK(open(name, O_RDWR));
    CHECK_OK(open("/dev/tty", O_RDWR));
    _exit(0);
  }
  WAIT_EXIT(pid, 0);
  return 0;
}
