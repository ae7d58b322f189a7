// Reading a hole through a private mapping makes no more than its page.
#include <sys/mman.h>
#include <sys/stat.h>

#include "check.h"

int main(void) {
  const size_t page = PageSize(), pages = 64;
  CHECK_OK(chdir(TempDir()));
  const int fd = (int)CHECK_OK(open("sparse", O_RDWR | O_CREAT, 0600));
  CHECK_OK(ftruncate(fd, (off_t)(pages * page)));
  CHECK_EQ(pwrite(fd, "x", 1, (off_t)(40 * page)), 1);
  char* map = CHECK_MAP(mmap(NULL, pages * page, PROT_READ, MAP_PRIVATE, fd, 0));
  CHECK_EQ(*(volatile char*)(map + 33 * page), 0);
  CHECK_EQ(*(volatile char*)(map + 40 * page), 'x');
  CHECK_EQ(*(volatile char*)(map + 41 * page), 0);
  struct stat status;
  CHECK_OK(fsync(fd));
  CHECK_OK(fstat(fd, &status));
  CHECK(status.st_blocks * 512 <= (long)(4 * page));
  return 0;
}
