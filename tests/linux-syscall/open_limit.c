// RLIMIT_NOFILE: EMFILE from every maker of descriptors; the lowest free number is given.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "check.h"

int main(void) {
  TempDir();
  WriteFile("f", "x");
  int a = (int)CHECK_OK(open("f", O_RDONLY));
  int b = (int)CHECK_OK(open("f", O_RDONLY));
  int c = (int)CHECK_OK(open("f", O_RDONLY));
  CHECK(a < b && b < c);
  close(a);
  close(b);
  CHECK_EQ(open("f", O_RDONLY), a);
  CHECK_EQ(dup(c), b);

  struct rlimit limit;
  CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
  struct rlimit low = {(rlim_t)c + 1, limit.rlim_max};
  CHECK_OK(setrlimit(RLIMIT_NOFILE, &low));
  int pair[2];
  CHECK_ERR(open("f", O_RDONLY), EMFILE);
  CHECK_ERR(open("made", O_RDWR | O_CREAT, 0600), EMFILE);
  CHECK_ERR(access("made", F_OK), ENOENT);  // nothing was made on the way
  CHECK_ERR(dup(0), EMFILE);
  CHECK_ERR(dup2(0, c + 1), EBADF);
  CHECK_ERR(dup3(0, c + 1, 0), EBADF);
  CHECK_ERR(fcntl(0, F_DUPFD, 0), EMFILE);
  CHECK_ERR(fcntl(0, F_DUPFD, c + 1), EINVAL);
  CHECK_ERR(pipe(pair), EMFILE);
  CHECK_ERR(socket(AF_UNIX, SOCK_STREAM, 0), EMFILE);
  CHECK_ERR(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), EMFILE);
  CHECK_ERR(epoll_create1(0), EMFILE);
  CHECK_ERR(eventfd(0, 0), EMFILE);
  CHECK_ERR(memfd_create("m", 0), EMFILE);

  // One free place is not enough for a pipe, and is free still after the failure.
  close(b);
  CHECK_ERR(pipe(pair), EMFILE);
  CHECK_EQ(open("f", O_RDONLY), b);
  CHECK_EQ(fcntl(c, F_GETFD), 0);  // above or at the limit: still usable
  low.rlim_cur = (rlim_t)c - 1;
  CHECK_OK(setrlimit(RLIMIT_NOFILE, &low));
  char byte;
  CHECK_EQ(read(c, &byte, 1), 1);
  CHECK_OK(close(c));
  CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
  return 0;
}
