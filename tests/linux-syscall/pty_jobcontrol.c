// Job control: TIOCSPGRP, SIGTTIN and SIGTTOU for the background, orphaned groups get EIO.
#include <termios.h>

#include "pty.h"

static int master, slave;

static int WaitStop(pid_t pid) {
  int status;
  CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
  if (!WIFSTOPPED(status)) FAIL("wait status %x is not a stop", status);
  return WSTOPSIG(status);
}

static void End(pid_t pid) {
  CHECK_OK(kill(pid, SIGKILL));
  CHECK_OK(waitpid(pid, NULL, 0));
}

// Runs below the session's leader, in a group of its own that is not in the foreground.
#define BACKGROUND(...)        \
  ({                           \
    pid_t job_ = Fork();       \
    if (job_ == 0) {           \
      CHECK_OK(setpgid(0, 0)); \
      __VA_ARGS__;             \
      _exit(0);                \
    }                          \
    job_;                      \
  })

static void Session(void) {
  char text[16];
  CHECK_OK(setsid());
  CHECK_OK(ioctl(slave, TIOCSCTTY, 0));
  CHECK_EQ(tcgetpgrp(slave), getpid());

  // Reading from the background stops the job.
  pid_t job = BACKGROUND((void)!read(slave, text, 1));
  CHECK_EQ(WaitStop(job), SIGTTIN);
  End(job);
  // Ignored or blocked: EIO.
  job = BACKGROUND(signal(SIGTTIN, SIG_IGN); CHECK_ERR(read(slave, text, 1), EIO));
  WAIT_EXIT(job, 0);
  // Writing is allowed, unless TOSTOP is set.
  job = BACKGROUND(CHECK_EQ(write(slave, "w", 1), 1));
  WAIT_EXIT(job, 0);
  struct termios termios;
  CHECK_OK(tcgetattr(slave, &termios));
  termios.c_lflag |= TOSTOP;
  CHECK_OK(tcsetattr(slave, TCSANOW, &termios));
  job = BACKGROUND((void)!write(slave, "w", 1));
  CHECK_EQ(WaitStop(job), SIGTTOU);
  End(job);
  job = BACKGROUND(signal(SIGTTOU, SIG_IGN); CHECK_EQ(write(slave, "w", 1), 1));
  WAIT_EXIT(job, 0);
  // Changing settings or the foreground group from the background.
  job = BACKGROUND(tcsetattr(slave, TCSANOW, &termios));
  CHECK_EQ(WaitStop(job), SIGTTOU);
  End(job);
  job = BACKGROUND(tcsetpgrp(slave, getpgrp()));
  CHECK_EQ(WaitStop(job), SIGTTOU);
  End(job);
  CHECK_EQ(tcgetpgrp(slave), getpid());

  // Into the foreground, where reading works; then it is the leader who is in the background.
  job = BACKGROUND({
    signal(SIGTTOU, SIG_IGN);
    CHECK_OK(tcsetpgrp(slave, getpgrp()));
    CHECK_EQ(read(slave, text, 16), 3);
  });
  CHECK(EVENTUALLY(tcgetpgrp(slave) == job));
  CHECK_EQ(write(master, "fg\n", 3), 3);
  WAIT_EXIT(job, 0);
  signal(SIGTTOU, SIG_IGN);
  CHECK_OK(tcsetpgrp(slave, getpgrp()));

  CHECK_ERR(tcsetpgrp(slave, 99999999), ESRCH);
  CHECK_ERR(tcsetpgrp(slave, getpgid(getppid())), EPERM);  // another session
  CHECK_ERR(tcsetpgrp(slave, -1), EINVAL);
  CHECK_ERR(ioctl(slave, TIOCSPGRP, NULL), EFAULT);

  // A group without a relative outside it in the session is orphaned: it is never stopped.
  int ends[2];
  CHECK_OK(pipe(ends));
  pid_t middle = Fork();
  if (middle == 0) {
    pid_t orphan = Fork();
    if (orphan == 0) {
      CHECK_OK(setpgid(0, 0));
      pid_t parent = getppid();
      CHECK_EQ(write(ends[1], "r", 1), 1);
      CHECK(EVENTUALLY(getppid() != parent));
      CHECK_ERR(read(slave, text, 1), EIO);
      CHECK_EQ(write(ends[1], "k", 1), 1);
      _exit(0);
    }
    char c;
    CHECK_EQ(read(ends[0], &c, 1), 1);
    _exit(0);
  }
  WAIT_EXIT(middle, 0);
  close(ends[1]);
  CHECK_EQ(read(ends[0], text, 1), 1);
  CHECK_EQ(text[0], 'k');
}

int main(void) {
  OpenPty(&master, &slave);
  pid_t pid = Fork();
  if (pid == 0) {
    Session();
    _exit(0);
  }
  WAIT_EXIT(pid, 0);
  return 0;
}
