// RLIMIT_NOFILE: the first number that may not be used; lowering it closes nothing.
#include <sys/socket.h>

#include "proc.h"

int main(void) {
  struct rlimit limit;
  CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
  int high = (int)CHECK_OK(fcntl(0, F_DUPFD, 50));
  limit.rlim_cur = 20;
  CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
  int fd, last = -1;
  while ((fd = open("/dev/null", O_RDONLY)) >= 0) last = fd;
  CHECK_EQ(errno, EMFILE);
  CHECK_EQ(last, 19);
  CHECK_OK(fcntl(high, F_GETFD));
  CHECK_ERR(dup(0), EMFILE);
  CHECK_ERR(dup2(0, 20), EBADF);
  CHECK_ERR(dup2(0, high), EBADF);
  CHECK_ERR(dup3(0, 20, 0), EBADF);
  CHECK_ERR(fcntl(0, F_DUPFD, 20), EINVAL);
  CHECK_ERR(fcntl(0, F_DUPFD, 19), EMFILE);
  int pair[2];
  CHECK_ERR(pipe(pair), EMFILE);
  CHECK_ERR(socket(AF_UNIX, SOCK_STREAM, 0), EMFILE);
  close(19);
  CHECK_ERR(pipe(pair), EMFILE);  // needs two, and leaves none behind
  CHECK_EQ(dup(0), 19);
  close(high);
  limit.rlim_cur = 0;
  CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
  CHECK_ERR(open("/dev/null", O_RDONLY), EMFILE);
  CHECK_OK(fcntl(19, F_GETFD));
  limit.rlim_cur = limit.rlim_max;
  CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
  CHECK_EQ(open("/dev/null", O_RDONLY), 20);
  return 0;
}
