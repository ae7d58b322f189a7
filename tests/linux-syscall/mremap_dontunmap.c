// MREMAP_DONTUNMAP: the pages go, the old range stays mapped and empty.
#include "check.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

int main(void) {
  size_t page = PageSize();
  char* p =
      CHECK_MAP(mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  memset(p, 'd', 3 * page);
  char* q = CHECK_MAP(mremap(p, 3 * page, 3 * page, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL));
  CHECK(q != p);
  for (size_t i = 0; i < 3 * page; i += 64) {
    CHECK_EQ(q[i], 'd');
    CHECK_EQ(p[i], 0);
  }
  p[0] = 'n';
  CHECK_EQ(q[0], 'd');
  char* target = CHECK_MAP(mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  CHECK_EQ(mremap(q, 3 * page, 3 * page, MREMAP_MAYMOVE | MREMAP_DONTUNMAP | MREMAP_FIXED, target),
           target);
  CHECK_EQ(target[2 * page], 'd');
  CHECK_EQ(q[2 * page], 0);
  CHECK_ERR(mremap(p, 3 * page, 3 * page, MREMAP_DONTUNMAP, NULL), EINVAL);
  CHECK_ERR(mremap(p, 3 * page, 4 * page, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL), EINVAL);
  return 0;
}
