// MAP_FIXED replaces, MAP_FIXED_NOREPLACE refuses; neighbours stay.
#include "check.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

static char* Map(void* at, size_t size, int flags) {
  return mmap(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

int main(void) {
  TempDir();
  size_t page = PageSize();
  char* p = CHECK_MAP(Map(NULL, 6 * page, 0));
  memset(p, 'o', 6 * page);
  CHECK_EQ(Map(p + 2 * page, 2 * page, MAP_FIXED), p + 2 * page);
  CHECK_EQ(p[2 * page - 1], 'o');
  CHECK_EQ(p[2 * page], 0);
  CHECK_EQ(p[4 * page - 1], 0);
  CHECK_EQ(p[4 * page], 'o');

  WriteFile("f", "file");
  int fd = (int)CHECK_OK(open("f", O_RDONLY));
  CHECK_EQ(mmap(p + page, page, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0), p + page);
  CHECK_MEM(p + page, "file", 4);
  CHECK_EQ(p[page - 1], 'o');

  CHECK_ERR(Map(p, page, MAP_FIXED_NOREPLACE), EEXIST);
  CHECK_ERR(Map(p + 5 * page, 4 * page, MAP_FIXED_NOREPLACE), EEXIST);
  CHECK_EQ(p[5 * page], 'o');
  CHECK_OK(munmap(p + 4 * page, 2 * page));
  CHECK_EQ(Map(p + 4 * page, 2 * page, MAP_FIXED_NOREPLACE), p + 4 * page);
  CHECK_EQ(p[4 * page], 0);
  CHECK_ERR(Map(p + 1, page, MAP_FIXED), EINVAL);
  CHECK_ERR(Map(p + 1, page, MAP_FIXED_NOREPLACE), EINVAL);

  // A failed call replaces nothing.
  CHECK_ERR(mmap(p, page, PROT_READ, MAP_PRIVATE | MAP_FIXED, 999, 0), EBADF);
  CHECK_EQ(p[0], 'o');
  // The lowest pages are not for ordinary users.
  IN_CHILD(BecomeNobody(); CHECK_ERR(Map(NULL, page, MAP_FIXED), EPERM));
  return 0;
}
