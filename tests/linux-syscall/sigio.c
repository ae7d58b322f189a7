// O_ASYNC: F_SETOWN, F_SETSIG and SIGIO from pipes and sockets.
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "proc.h"

static volatile sig_atomic_t count;
static siginfo_t last;
static void OnSignal(int number, siginfo_t* info, void* context) {
  (void)context;
  last = *info;
  CHECK_EQ(number, info->si_signo);
  count++;
}

static void SetAsync(int fd, bool on) {
  int flags = (int)CHECK_OK(fcntl(fd, F_GETFL));
  CHECK_OK(fcntl(fd, F_SETFL, on ? flags | O_ASYNC : flags & ~O_ASYNC));
  CHECK_EQ(!!(fcntl(fd, F_GETFL) & O_ASYNC), on);
}

int main(void) {
  HandleInfo(SIGIO, OnSignal, 0);
  HandleInfo(SIGRTMIN + 3, OnSignal, 0);
  int ends[2], s[2];
  char text[16];
  CHECK_OK(pipe(ends));
  CHECK_EQ(fcntl(ends[0], F_GETOWN), 0);
  CHECK_OK(fcntl(ends[0], F_SETOWN, getpid()));
  CHECK_EQ(fcntl(ends[0], F_GETOWN), getpid());
  CHECK_EQ(write(ends[1], "a", 1), 1);
  Nap(5);
  CHECK_EQ(count, 0);  // not asked for yet
  SetAsync(ends[0], true);
  Nap(5);
  CHECK_EQ(count, 0);  // only what comes from now on
  CHECK_EQ(write(ends[1], "b", 1), 1);
  CHECK(EVENTUALLY(count == 1));
  CHECK_EQ(last.si_signo, SIGIO);
  SetAsync(ends[0], false);
  CHECK_EQ(write(ends[1], "c", 1), 1);
  Nap(5);
  CHECK_EQ(count, 1);

  // Sockets have ioctls for it, too.
  int owner = getpid();
  CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  CHECK_OK(ioctl(s[0], FIOSETOWN, &owner));
  CHECK_EQ(fcntl(s[0], F_GETOWN), getpid());
  owner = -getpgrp();
  CHECK_OK(ioctl(s[0], SIOCSPGRP, &owner));
  CHECK_EQ(ioctl(s[0], FIOGETOWN, &owner), 0);
  CHECK_EQ(owner, -getpgrp());
  owner = 0;
  CHECK_OK(ioctl(s[0], SIOCGPGRP, &owner));
  CHECK_EQ(owner, -getpgrp());
  owner = INT_MAX;
  CHECK_ERR(ioctl(s[0], FIOSETOWN, &owner), ESRCH);
  CHECK_ERR(ioctl(s[0], FIOSETOWN, NULL), EFAULT);
  CHECK_ERR(ioctl(ends[0], FIOSETOWN, &owner), ENOTTY);
  close(s[0]);
  close(s[1]);

  // Another signal tells which descriptor, and what happened.
  int on = 1;
  CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  CHECK_OK(fcntl(s[0], F_SETOWN, getpid()));
  CHECK_OK(fcntl(s[0], F_SETSIG, SIGRTMIN + 3));
  CHECK_EQ(fcntl(s[0], F_GETSIG), SIGRTMIN + 3);
  CHECK_OK(ioctl(s[0], FIOASYNC, &on));
  CHECK_EQ(write(s[1], "hello", 5), 5);
  CHECK(EVENTUALLY(count >= 2));
  CHECK_EQ(last.si_signo, SIGRTMIN + 3);
  CHECK_EQ(last.si_fd, s[0]);
  CHECK_EQ(last.si_code, POLL_IN);
  CHECK(last.si_band & POLLIN);
  CHECK_EQ(read(s[0], text, 16), 5);

  // To another process, and to a group; not to one whom the caller may not signal.
  pid_t pid = Fork();
  if (pid == 0) {
    count = 0;
    CHECK_OK(setpgid(0, 0));
    CHECK_OK(fcntl(s[0], F_SETSIG, 0));
    CHECK_OK(fcntl(s[0], F_SETOWN, -getpid()));
    CHECK_EQ(fcntl(s[0], F_GETOWN), -getpid());
    CHECK_EQ(write(s[1], "x", 1), 1);
    CHECK(EVENTUALLY(count >= 1));
    _exit(0);
  }
  WAIT_EXIT(pid, 0);
  CHECK_ERR(fcntl(s[0], F_SETSIG, 65), EINVAL);
  CHECK_ERR(fcntl(s[0], F_SETOWN, 0x3fffffff), ESRCH);
  int seen = count;
  close(s[0]);
  close(s[1]);
  Nap(5);
  CHECK(count >= seen);
  // Many at once, closed while they watch.
  for (int i = 0; i < 200; i++) {
    CHECK_OK(pipe(s));
    CHECK_OK(fcntl(s[0], F_SETOWN, getpid()));
    SetAsync(s[0], true);
    CHECK_EQ(write(s[1], "x", 1), 1);
    close(s[0]);
    close(s[1]);
  }
  return 0;
}
