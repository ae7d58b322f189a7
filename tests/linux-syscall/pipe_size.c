// F_GETPIPE_SZ, F_SETPIPE_SZ: rounding, growing with data inside, shrinking below it.
#include <sys/prctl.h>

#include "check.h"

int main(void) {
  int ends[2];
  CHECK_OK(pipe2(ends, O_NONBLOCK));
  long page = (long)PageSize();
  CHECK_EQ(fcntl(ends[0], F_GETPIPE_SZ), 16 * page);
  CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 1), page);
  CHECK_EQ(fcntl(ends[0], F_GETPIPE_SZ), page);
  static char data[1 << 18];
  for (size_t i = 0; i < sizeof data; i++) data[i] = (char)(i % 127);
  CHECK_EQ(write(ends[1], data, sizeof data), page);
  CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 2 * page + 1), 4 * page);  // a power of two of pages
  CHECK_EQ(write(ends[1], data + page, sizeof data - (size_t)page), 3 * page);
  CHECK_ERR(fcntl(ends[1], F_SETPIPE_SZ, page), EBUSY);
  static char back[1 << 18];
  CHECK_EQ(read(ends[0], back, sizeof back), 4 * page);
  CHECK_MEM(back, data, (size_t)(4 * page));
  CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, page), page);
  CHECK_ERR(fcntl(ends[1], F_SETPIPE_SZ, 0x80000001u), EINVAL);
  int null = (int)CHECK_OK(open("/dev/null", O_RDWR));
  CHECK_ERR(fcntl(null, F_SETPIPE_SZ, page), EBADF);
  CHECK_ERR(fcntl(null, F_GETPIPE_SZ), EBADF);
  IN_CHILD({
    BecomeNobody();
    CHECK_ERR(fcntl(ends[1], F_SETPIPE_SZ, 1 << 30), EPERM);  // above /proc/sys/fs/pipe-max-size
  });
  // That is how large a pipe of theirs is to begin with, at most.
  FILE* limit = IsRoot() ? fopen("/proc/sys/fs/pipe-max-size", "r+") : NULL;
  if (!limit) return 0;
  int before, now = 0;
  CHECK_EQ(fscanf(limit, "%d", &before), 1);
  rewind(limit);
  fprintf(limit, "5000\n");
  bool kept = fflush(limit) == 0;
  pid_t pid = Fork();
  if (pid == 0) {
    enum { kCapSysResource = 24 };
    CHECK_OK(pipe(ends));
    CHECK_EQ(fcntl(ends[0], F_GETPIPE_SZ),
             prctl(PR_CAPBSET_READ, kCapSysResource) == 1 ? 16 * page : 2 * page);
    BecomeNobody();
    CHECK_OK(pipe(ends));
    CHECK_EQ(fcntl(ends[0], F_GETPIPE_SZ), 2 * page);
    CHECK_ERR(fcntl(ends[1], F_SETPIPE_SZ, 4 * page), EPERM);
    _exit(0);
  }
  int status;
  CHECK_OK(waitpid(pid, &status, 0));
  rewind(limit);
  if (fscanf(limit, "%d", &now) != 1) now = 0;
  rewind(limit);
  fprintf(limit, "%d\n", before);
  fclose(limit);
  CHECK(kept);
  CHECK_EQ(status, 0);
  CHECK_EQ(now, 2 * page);  // rounded as sizes are
  return 0;
}
