// F_SET_RW_HINT: how long what is written will live. Files have it, whoever opened them.
#include "check.h"

enum { kGet = 1035, kSet = 1036, kExtreme = 5 };

static uint64_t Hint(int fd) {
  uint64_t hint = 99;
  CHECK_OK(fcntl(fd, kGet, &hint));
  return hint;
}

int main(void) {
  TempDir();
  int fd = (int)CHECK_OK(open("file", O_RDWR | O_CREAT, 0644));
  CHECK_EQ(Hint(fd), 0);
  for (uint64_t hint = 0; hint <= kExtreme; hint++) {
    CHECK_OK(fcntl(fd, kSet, &hint));
    CHECK_EQ(Hint(fd), hint);
  }
  int other = (int)CHECK_OK(open("file", O_RDONLY));
  CHECK_EQ(Hint(other), kExtreme);
  for (uint64_t hint = kExtreme + 1; hint < 8; hint++) CHECK_ERR(fcntl(fd, kSet, &hint), EINVAL);
  CHECK_ERR(fcntl(fd, kSet, (void*)16), EFAULT);
  CHECK_ERR(fcntl(fd, kGet, (void*)16), EFAULT);
  int path = (int)CHECK_OK(open("file", O_PATH));
  uint64_t hint = 1;
  CHECK_ERR(fcntl(path, kGet, &hint), EBADF);
  int ends[2];
  CHECK_OK(pipe(ends));
  CHECK_EQ(Hint(ends[0]), 0);
  return 0;
}
