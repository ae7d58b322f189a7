// Many descriptors: the lowest free number is given at every size of the table.
#include <sys/resource.h>

#include "check.h"

int main(void) {
  enum { kMany = 20000 };
  struct rlimit limit;
  CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  if (limit.rlim_cur < kMany && limit.rlim_max >= kMany) {
    limit.rlim_cur = kMany;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  }
  const int many = limit.rlim_cur < kMany ? (int)limit.rlim_cur : kMany;
  CHECK(syscall(SYS_close_range, 3, ~0u, 0) == 0);  // whatever was inherited
  const int first = open("/dev/null", O_RDONLY);
  CHECK(first >= 0);
  for (int fd = first + 1; fd < many; fd++) CHECK(dup(first) == fd);
  if (many == (int)limit.rlim_cur) CHECK_ERR(dup(first), EMFILE);
  const int holes[] = {first + 1, 63, 64, 127, 128, many / 2, many - 1};
  const int count = sizeof holes / sizeof holes[0];
  for (int i = count - 1; i >= 0; i--) CHECK(close(holes[i]) == 0);
  CHECK(fcntl(first, F_DUPFD, 100) == 127);
  CHECK(close(127) == 0);
  for (int i = 0; i < count; i++) CHECK(dup(first) == holes[i]);
  CHECK(dup2(first, many / 2) == many / 2);
  CHECK(close(many / 2) == 0);
  CHECK(dup2(first, many / 2) == many / 2);
  for (int fd = many - 1; fd > first; fd--) CHECK(close(fd) == 0);
  CHECK(dup(first) == first + 1);
  return 0;
}
