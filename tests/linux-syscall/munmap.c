// munmap(2): holes, middles of mappings, several at once, wrong arguments.
#include "check.h"

static bool Mapped(char* page) {
  unsigned char in;
  if (mincore(page, PageSize(), &in) == 0) return true;
  CHECK_EQ(errno, ENOMEM);
  return false;
}

int main(void) {
  size_t page = PageSize();
  char* p =
      CHECK_MAP(mmap(NULL, 8 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  for (int i = 0; i < 8; i++) p[(size_t)i * page] = (char)('a' + i);
  CHECK_OK(munmap(p + 3 * page, 2 * page));
  for (int i = 0; i < 8; i++) CHECK_EQ(Mapped(p + (size_t)i * page), i != 3 && i != 4);
  CHECK_EQ(p[2 * page], 'c');
  CHECK_EQ(p[5 * page], 'f');
  CHECK_OK(munmap(p + 3 * page, 2 * page));  // nothing there: fine
  CHECK_OK(munmap(p + 2 * page, 1));         // rounds up to the page
  CHECK(!Mapped(p + 2 * page));
  IN_CHILD_KILLED_BY(SIGSEGV, *(volatile char*)(p + 2 * page) = 1);
  CHECK_OK(munmap(p, 8 * page));  // over holes
  for (int i = 0; i < 8; i++) CHECK(!Mapped(p + (size_t)i * page));
  CHECK_ERR(munmap(p + 1, page), EINVAL);
  CHECK_ERR(munmap(p, 0), EINVAL);
  CHECK_ERR(munmap((void*)(UINTPTR_MAX - page + 1), page), EINVAL);
  CHECK_ERR(munmap(p, SIZE_MAX), EINVAL);

  // The parent's memory is not the child's to unmap.
  p = CHECK_MAP(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  IN_CHILD(p[0] = 3; CHECK_OK(munmap(p, page)); CHECK(!Mapped(p)));
  CHECK_EQ(p[0], 3);
  return 0;
}
