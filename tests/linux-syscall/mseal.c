// mseal(2): what is sealed stays as it is until the program ends.
#include "proc.h"

#ifndef SYS_mseal
#define SYS_mseal 462
#endif

static size_t page;

static char* Pages(size_t count, int protection) {
  return CHECK_MAP(mmap(NULL, count * page, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}
static long Seal(void* address, size_t size) { return syscall(SYS_mseal, address, size, 0UL); }

static void CheckArguments(void) {
  char* area = Pages(4, PROT_READ);
  CHECK_ERR(syscall(SYS_mseal, area, page, 1UL), EINVAL);
  CHECK_ERR(Seal(area + 1, page), EINVAL);
  CHECK_ERR(Seal(area, SIZE_MAX - page / 2), EINVAL);
  CHECK_ERR(Seal(area, (size_t)-1 - 4 * page), EINVAL);
  CHECK_OK(Seal(area, 0));
  CHECK_OK(munmap(area + page, page));
  CHECK_ERR(Seal(area, 4 * page), ENOMEM);  // and then nothing is
  CHECK_OK(mprotect(area, page, PROT_NONE));
  CHECK_OK(munmap(area, 4 * page));
}

static void CheckChanges(char* area) {
  char* second = area + page;
  CHECK_ERR(munmap(second, page), EPERM);
  CHECK_ERR(munmap(area, 3 * page), EPERM);
  CHECK_ERR(mprotect(second, page, PROT_NONE), EPERM);
  CHECK_ERR(mmap(second, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), EPERM);
  char* elsewhere = Pages(4, PROT_READ | PROT_WRITE);
  CHECK_ERR(mremap(second, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere), EPERM);
  CHECK_ERR(mremap(second, page, 2 * page, MREMAP_MAYMOVE), EPERM);
  CHECK_ERR(mremap(elsewhere, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, second), EPERM);
  CHECK_OK(munmap(elsewhere, 4 * page));
}

static void CheckShrinking(void) {
  char* area = Pages(3, PROT_READ);
  CHECK_OK(Seal(area, 3 * page));
  CHECK_ERR(mremap(area, 3 * page, page, 0), EPERM);
}

// What would lose the pages' contents is for those who may write them.
static void CheckAdvice(void) {
  char* area = Pages(2, PROT_READ | PROT_WRITE);
  area[0] = area[page] = 1;
  CHECK_OK(mprotect(area, page, PROT_READ));
  CHECK_OK(Seal(area, 2 * page));
  CHECK_ERR(madvise(area, page, MADV_DONTNEED), EPERM);
  CHECK_ERR(madvise(area, page, MADV_DONTFORK), EPERM);
  CHECK_OK(madvise(area, page, MADV_WILLNEED));
  CHECK_OK(madvise(area + page, page, MADV_DONTNEED));
  CHECK(area[0] == 1 && area[page] == 0);
}

int main(void) {
  page = PageSize();
  if (Seal(NULL, 0) == -1 && errno == ENOSYS) SKIP("no mseal");
  CheckArguments();
  char* area = Pages(3, PROT_READ | PROT_WRITE);
  CHECK_OK(Seal(area + page, page));
  CHECK_OK(Seal(area + page, page));
  area[page] = 7;
  CheckChanges(area);
  CHECK_EQ(area[page], 7);
  IN_CHILD(CheckChanges(area); CHECK_EQ(area[page], 7));  // children have sealed memory, too
  CHECK_OK(munmap(area, page));
  CHECK_OK(mprotect(area + 2 * page, page, PROT_NONE));
  CheckShrinking();
  CheckAdvice();
  return 0;
}
