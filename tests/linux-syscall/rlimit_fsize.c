// RLIMIT_FSIZE: writes up to it are short, beyond it SIGXFSZ and EFBIG.
#include "proc.h"

static volatile sig_atomic_t got;
static void Count(int number) { got += number == SIGXFSZ; }

int main(void) {
  TempDir();
  static char data[8192];
  int fd = (int)CHECK_OK(open("file", O_RDWR | O_CREAT, 0644));
  struct rlimit limit;
  CHECK_OK(getrlimit(RLIMIT_FSIZE, &limit));
  limit.rlim_cur = 10000;
  CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
  CHECK_EQ(write(fd, data, 8192), 8192);
  CHECK_EQ(write(fd, data, 8192), 1808);
  Handle(SIGXFSZ, Count, 0);
  CHECK_ERR(write(fd, data, 1), EFBIG);
  CHECK_EQ(got, 1);
  CHECK_ERR(pwrite(fd, data, 1, 20000), EFBIG);
  CHECK_EQ(got, 2);
  CHECK_ERR(ftruncate(fd, 10001), EFBIG);
  CHECK_EQ(got, 3);
  CHECK_OK(ftruncate(fd, 10000));
  CHECK_EQ(pwrite(fd, data, 10, 0), 10);  // inside is fine
  Handle(SIGXFSZ, SIG_IGN, 0);
  CHECK_ERR(write(fd, data, 1), EFBIG);
  // A file that is larger already may be read and changed inside the limit.
  limit.rlim_cur = 100;
  CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
  CHECK_EQ(pwrite(fd, data, 200, 50), 50);
  CHECK_ERR(pwrite(fd, data, 200, 100), EFBIG);
  // Pipes have no size.
  int ends[2];
  CHECK_OK(pipe(ends));
  CHECK_EQ(write(ends[1], data, 4096), 4096);
  Handle(SIGXFSZ, SIG_DFL, 0);
  CHECK_OK(setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}));
  IN_CHILD_KILLED_BY(SIGXFSZ, pwrite(fd, data, 1, 100));
  return 0;
}
