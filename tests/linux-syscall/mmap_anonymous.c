// mmap(2) without a file: zeroes, hints, sharing over fork, sizes, wrong arguments, protection.
#include "check.h"

static void* Map(void* at, size_t size, int prot, int flags) {
  return mmap(at, size, prot, flags | MAP_ANONYMOUS, -1, 0);
}

int main(void) {
  size_t page = PageSize();
  char* p = CHECK_MAP(Map(NULL, 10 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE));
  CHECK_EQ((uintptr_t)p % page, 0);
  for (size_t i = 0; i < 10 * page; i += 512) CHECK_EQ(p[i], 0);
  p[0] = 1;
  IN_CHILD(CHECK_EQ(p[0], 1); p[0] = 2);
  CHECK_EQ(p[0], 1);
  char* shared = CHECK_MAP(Map(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED));
  IN_CHILD(shared[5] = 9; IN_CHILD(shared[6] = 10));
  CHECK_EQ(shared[5], 9);
  CHECK_EQ(shared[6], 10);

  // One byte is a page; what lies behind is not mapped by it.
  char* one = CHECK_MAP(Map(NULL, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE));
  one[page - 1] = 1;
  // A free hint is taken; one that is in use is not.
  CHECK_OK(munmap(p + 4 * page, 2 * page));
  CHECK_EQ(Map(p + 4 * page, 2 * page, PROT_READ, MAP_PRIVATE), p + 4 * page);
  char* elsewhere = CHECK_MAP(Map(p, page, PROT_READ, MAP_PRIVATE));
  CHECK(elsewhere < p || elsewhere >= p + 10 * page);
  CHECK_EQ(p[0], 1);

  CHECK_ERR(Map(NULL, 0, PROT_READ, MAP_PRIVATE), EINVAL);
  CHECK_ERR(Map(NULL, page, PROT_READ, 0), EINVAL);
  CHECK_ERR(Map(NULL, SIZE_MAX - page, PROT_READ, MAP_PRIVATE), ENOMEM);
  CHECK_ERR(Map(NULL, (size_t)1 << 60, PROT_READ, MAP_PRIVATE), ENOMEM);
  CHECK_ERR(Map((void*)(page + 1), page, PROT_READ, MAP_PRIVATE | MAP_FIXED), EINVAL);
  CHECK_ERR(Map((void*)(UINTPTR_MAX - page + 1), page, PROT_READ, MAP_PRIVATE | MAP_FIXED), ENOMEM);
  CHECK_ERR(syscall(SYS_mmap, NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 1), EINVAL);

  // Reservations may be far larger than memory.
  char* huge = CHECK_MAP(Map(NULL, (size_t)1 << 40, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE));
  CHECK_OK(mprotect(huge + ((size_t)1 << 39), page, PROT_READ | PROT_WRITE));
  huge[(size_t)1 << 39] = 1;
  CHECK_OK(munmap(huge, (size_t)1 << 40));

  char* populated =
      CHECK_MAP(Map(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_POPULATE));
  CHECK_EQ(populated[3 * page], 0);
  IN_CHILD_KILLED_BY(SIGSEGV, *(volatile char*)Map(NULL, page, PROT_NONE, MAP_PRIVATE) = 1);
  IN_CHILD_KILLED_BY(SIGSEGV, *(volatile char*)Map(NULL, page, PROT_READ, MAP_PRIVATE) = 1);
  IN_CHILD_KILLED_BY(SIGSEGV,
                     ((void (*)(void))Map(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE))());
  return 0;
}
