// close_range(2): ranges with gaps, CLOSE_RANGE_CLOEXEC, CLOSE_RANGE_UNSHARE, errors.
#include <linux/close_range.h>

#include "check.h"

static int Range(unsigned first, unsigned last, unsigned flags) {
  return (int)syscall(SYS_close_range, first, last, flags);
}

int main(void) {
  int base = 100;
  for (int i = 0; i < 10; i++)
    if (i != 5) CHECK_EQ(dup2(0, base + i), base + i);
  CHECK_OK(Range((unsigned)base + 2, (unsigned)base + 7, 0));
  for (int i = 0; i < 10; i++) {
    if (i >= 2 && i <= 7)
      CHECK_ERR(fcntl(base + i, F_GETFD), EBADF);
    else
      CHECK_EQ(fcntl(base + i, F_GETFD), 0);
  }
  CHECK_OK(Range((unsigned)base + 2, (unsigned)base + 7, 0));  // nothing to close is fine
  CHECK_OK(Range((unsigned)base + 8, (unsigned)base + 8, CLOSE_RANGE_CLOEXEC));
  CHECK_EQ(fcntl(base + 8, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(fcntl(base + 9, F_GETFD), 0);

  CHECK_ERR(Range(5, 4, 0), EINVAL);
  CHECK_ERR(Range(5, 6, 1 << 20), EINVAL);

  // In a child that shares nothing anyway: everything to the end of the numbers.
  IN_CHILD(CHECK_OK(Range(3, ~0u, CLOSE_RANGE_UNSHARE)); CHECK_ERR(fcntl(base, F_GETFD), EBADF));
  CHECK_EQ(fcntl(base, F_GETFD), 0);
  CHECK_OK(Range((unsigned)base, UINT_MAX, CLOSE_RANGE_CLOEXEC | CLOSE_RANGE_UNSHARE));
  CHECK_EQ(fcntl(base, F_GETFD), FD_CLOEXEC);
  return 0;
}
