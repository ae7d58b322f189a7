// MSG_PEEK, MSG_DONTWAIT, MSG_TRUNC, MSG_WAITALL, MSG_NOSIGNAL; readiness of sockets with ioctl(2).
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "check.h"

static void Nothing(int number) { (void)number; }

int main(void) {
  int s[2];
  char text[32];
  CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  CHECK_ERR(recv(s[1], text, 1, MSG_DONTWAIT), EAGAIN);
  CHECK_EQ(send(s[0], "abcdef", 6, 0), 6);
  CHECK_EQ(recv(s[1], text, 3, MSG_PEEK), 3);
  CHECK_EQ(recv(s[1], text, 32, MSG_PEEK), 6);
  int ready;
  CHECK_OK(ioctl(s[1], FIONREAD, &ready));
  CHECK_EQ(ready, 6);
  CHECK_EQ(recv(s[1], text, 4, 0), 4);
  CHECK_MEM(text, "abcd", 4);
  CHECK_EQ(recv(s[1], text, 32, 0), 2);
  int on = 1;
  CHECK_OK(ioctl(s[1], FIONBIO, &on));
  CHECK(fcntl(s[1], F_GETFL) & O_NONBLOCK);
  CHECK_ERR(recv(s[1], text, 1, 0), EAGAIN);
  on = 0;
  CHECK_OK(ioctl(s[1], FIONBIO, &on));

  // WAITALL collects; end of file or a handler cut it short.
  pid_t pid = Fork();
  if (pid == 0) {
    close(s[1]);
    for (int i = 0; i < 5; i++) {
      Nap(3);
      CHECK_EQ(send(s[0], "12", 2, 0), 2);
    }
    _exit(0);
  }
  CHECK_EQ(recv(s[1], text, 8, MSG_WAITALL), 8);
  CHECK_MEM(text, "12121212", 8);
  WAIT_EXIT(pid, 0);
  close(s[0]);
  CHECK_EQ(recv(s[1], text, 8, MSG_WAITALL), 2);
  CHECK_EQ(recv(s[1], text, 8, MSG_WAITALL), 0);
  close(s[1]);
  CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  pid = Fork();
  if (pid == 0) {
    Handle(SIGUSR1, Nothing, 0);
    CHECK_EQ(send(s[0], "ready", 5, 0), 5);
    ssize_t n = recv(s[0], text, 8, MSG_WAITALL);
    if (n == -1) CHECK_EQ(errno, EINTR);
    _exit(n == 3 || n == -1 ? 0 : 1);
  }
  CHECK_EQ(recv(s[1], text, 5, MSG_WAITALL), 5);
  CHECK_EQ(send(s[1], "abc", 3, 0), 3);
  int status;
  while (waitpid(pid, &status, WNOHANG) == 0) {
    kill(pid, SIGUSR1);
    Nap(2);
  }
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  close(s[0]);
  close(s[1]);

  // Datagrams: MSG_TRUNC asks for the real length.
  CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
  CHECK_EQ(send(s[0], "0123456789", 10, 0), 10);
  CHECK_EQ(recv(s[1], text, 4, MSG_PEEK | MSG_TRUNC), 10);
  CHECK_EQ(recv(s[1], NULL, 0, MSG_PEEK | MSG_TRUNC), 10);
  CHECK_OK(ioctl(s[1], FIONREAD, &ready));
  CHECK_EQ(ready, 10);
  CHECK_EQ(recv(s[1], text, 4, MSG_TRUNC), 10);
  CHECK_ERR(recv(s[1], text, 4, MSG_DONTWAIT), EAGAIN);
  CHECK_ERR(recv(s[1], text, 4, MSG_OOB), EOPNOTSUPP);
  CHECK_ERR(recv(0, text, 1, 0), ENOTSOCK);
  CHECK_ERR(send(-1, text, 1, 0), EBADF);
  CHECK_ERR(send(s[0], (void*)8, 10, 0), EFAULT);
  return 0;
}
