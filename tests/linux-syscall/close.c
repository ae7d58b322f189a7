// close(2): which descriptor closes what, EBADF, close-on-exec.
#include "check.h"

int main(int argc, char** argv) {
  if (argc == 3) {  // the program again: which of the two descriptors came along?
    if (fcntl(atoi(argv[1]), F_GETFD) != 0) return 10;
    if (fcntl(atoi(argv[2]), F_GETFD) != -1 || errno != EBADF) return 11;
    return 0;
  }
  TempDir();
  WriteFile("f", "abc");
  CHECK_ERR(close(-1), EBADF);
  CHECK_ERR(close(9999), EBADF);
  CHECK_ERR(close(INT_MAX), EBADF);
  int fd = (int)CHECK_OK(open("f", O_RDONLY));
  int copy = (int)CHECK_OK(dup(fd));
  CHECK_OK(close(fd));
  CHECK_ERR(close(fd), EBADF);
  char c;
  CHECK_ERR(read(fd, &c, 1), EBADF);
  CHECK_EQ(read(copy, &c, 1), 1);

  // A child's close is its own business.
  IN_CHILD(CHECK_OK(close(copy)); CHECK_ERR(read(copy, &c, 1), EBADF));
  CHECK_EQ(read(copy, &c, 1), 1);
  CHECK_EQ(c, 'b');  // though the offset is shared

  // The last close of a pipe's end is seen at the other one.
  int ends[2];
  CHECK_OK(pipe(ends));
  int writer = (int)CHECK_OK(dup(ends[1]));
  close(ends[1]);
  CHECK_EQ(write(writer, "x", 1), 1);
  close(writer);
  CHECK_EQ(read(ends[0], &c, 1), 1);
  CHECK_EQ(read(ends[0], &c, 1), 0);
  close(ends[0]);

  int stays = (int)CHECK_OK(open("/dev/null", O_RDONLY));
  int goes = (int)CHECK_OK(open("/dev/null", O_RDONLY | O_CLOEXEC));
  CHECK_EQ(fcntl(goes, F_GETFD), FD_CLOEXEC);
  pid_t pid = Fork();
  if (pid == 0) {
    char first[16], second[16];
    snprintf(first, sizeof first, "%d", stays);
    snprintf(second, sizeof second, "%d", goes);
    execl("/proc/self/exe", argv[0], first, second, (char*)NULL);
    _exit(12);
  }
  WAIT_EXIT(pid, 0);
  return 0;
}
