// RLIMIT_FSIZE: writing up to it, then SIGXFSZ and EFBIG.
#include <sys/resource.h>

#include "check.h"

static volatile sig_atomic_t signals;
static void OnSignal(int number) {
  (void)number;
  signals++;
}

int main(void) {
  TempDir();
  int fd = (int)CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
  struct rlimit limit;
  CHECK_OK(getrlimit(RLIMIT_FSIZE, &limit));
  limit.rlim_cur = 1000;
  CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
  Handle(SIGXFSZ, OnSignal, 0);
  char data[600] = {0};
  CHECK_EQ(write(fd, data, 600), 600);
  CHECK_EQ(write(fd, data, 600), 400);  // as far as it goes
  CHECK_EQ(signals, 0);
  CHECK_ERR(write(fd, data, 1), EFBIG);
  CHECK_EQ(signals, 1);
  CHECK_ERR(ftruncate(fd, 1001), EFBIG);
  CHECK_EQ(signals, 2);
  CHECK_OK(ftruncate(fd, 1000));
  CHECK_ERR(pwrite(fd, data, 1, 5000), EFBIG);
  CHECK_EQ(signals, 3);
  CHECK_EQ(pwrite(fd, data, 1, 0), 1);
  IN_CHILD_KILLED_BY(SIGXFSZ, signal(SIGXFSZ, SIG_DFL); (void)!write(fd, data, 1));
  // Pipes are not files with a size.
  int ends[2];
  CHECK_OK(pipe(ends));
  for (int i = 0; i < 4; i++) CHECK_EQ(write(ends[1], data, 600), 600);
  return 0;
}
