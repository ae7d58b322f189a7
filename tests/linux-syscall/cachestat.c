// cachestat(2): how many of a file's pages are in memory.
#include "check.h"

enum { kCacheStat = 451 };  // everywhere

struct range {
  uint64_t offset, length;
};
struct stat_of_pages {
  uint64_t cached, dirty, in_write_back, evicted, recently_evicted;
};

static struct stat_of_pages Stat(int fd, uint64_t offset, uint64_t length) {
  struct range range = {offset, length};
  struct stat_of_pages stat = {99, 99, 99, 99, 99};
  CHECK_OK(syscall(kCacheStat, fd, &range, &stat, 0));
  return stat;
}

int main(void) {
  struct range all = {0, 0};
  struct stat_of_pages stat;
  errno = 0;
  if (syscall(kCacheStat, -1, &all, &stat, 0) == -1 && errno == ENOSYS) SKIP("no cachestat");
  const size_t page = PageSize();
  const int fd = CHECK_OK(memfd_create("pages", 0));
  CHECK_ERR(syscall(kCacheStat, -1, &all, &stat, 0), EBADF);
  CHECK_ERR(syscall(kCacheStat, fd, 8, &stat, 0), EFAULT);
  CHECK_ERR(syscall(kCacheStat, fd, &all, 8, 0), EFAULT);
  CHECK_ERR(syscall(kCacheStat, fd, &all, &stat, 1), EINVAL);

  CHECK_EQ(Stat(fd, 0, 0).cached, 0);
  CHECK_OK(ftruncate(fd, 16 * (off_t)page));
  CHECK_EQ(Stat(fd, 0, 0).cached, 0);  // a hole
  CHECK_EQ(pwrite(fd, "x", 1, 3 * (off_t)page), 1);
  CHECK_EQ(pwrite(fd, "yy", 2, 8 * (off_t)page - 1), 2);
  CHECK_EQ(Stat(fd, 0, 0).cached, 3);
  CHECK_EQ(Stat(fd, 3 * page + 100, 1).cached, 1);
  CHECK_EQ(Stat(fd, 4 * page, 3 * page).cached, 0);
  CHECK_EQ(Stat(fd, 4 * page, 3 * page + 1).cached, 1);
  CHECK_EQ(Stat(fd, 7 * page, 0).cached, 2);
  CHECK_EQ(Stat(fd, 100 * page, 0).cached, 0);
  CHECK_EQ(Stat(fd, 8 * page, UINT64_MAX).cached, 0);  // the end overflows
  CHECK_EQ(Stat(fd, 0, 0).in_write_back, 0);
  CHECK_OK(ftruncate(fd, 4 * (off_t)page));
  CHECK_EQ(Stat(fd, 0, 0).cached, 1);

  int ends[2];
  CHECK_OK(pipe(ends));
  CHECK_EQ(Stat(ends[0], 0, 0).cached, 0);  // whatever has no pages has none in memory
  return 0;
}
