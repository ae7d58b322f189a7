// brk(2): the bare call: growing, zeroes, shrinking, refused requests tell the old end,
// inheritance.
#include <sys/resource.h>

#include "check.h"

static char* Brk(char* end) { return (char*)syscall(SYS_brk, end); }

int main(void) {
  size_t page = PageSize();
  setvbuf(stderr, NULL, _IONBF, 0);
  char* start = Brk(NULL);
  CHECK(start != NULL);
  CHECK_EQ(Brk((char*)1), start);  // below the start: refused, no error number
  char* base = (char*)(((uintptr_t)start + page - 1) & ~(page - 1));
  CHECK_EQ(Brk(base + 4 * page), base + 4 * page);
  for (size_t i = 0; i < 4 * page; i += 256) CHECK_EQ(base[i], 0);
  memset(base, 'b', 4 * page);
  CHECK_EQ(Brk(base + 100), base + 100);  // ends need not be whole pages
  CHECK_EQ(base[page - 1], 'b');
  IN_CHILD_KILLED_BY(SIGSEGV, *(volatile char*)(base + 2 * page) = 1);
  CHECK_EQ(Brk(base + 4 * page), base + 4 * page);
  CHECK_EQ(base[2 * page], 0);  // new pages
  IN_CHILD({
    CHECK_EQ(Brk(NULL), base + 4 * page);
    CHECK_EQ(Brk(base + 8 * page), base + 8 * page);
    base[7 * page] = 'c';
  });
  CHECK_EQ(Brk(NULL), base + 4 * page);

  // Something in the way, the data limit, and the absurd.
  char* wall =
      mmap(base + 6 * page, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  CHECK_EQ(wall, base + 6 * page);
  CHECK_EQ(Brk(base + 8 * page), base + 4 * page);
  CHECK_OK(munmap(wall, page));
  CHECK_EQ(Brk((char*)UINTPTR_MAX), base + 4 * page);
  IN_CHILD({
    struct rlimit limit = {page, page};
    CHECK_OK(setrlimit(RLIMIT_DATA, &limit));
    CHECK_EQ(Brk(base + 1000 * page), base + 4 * page);
  });
  CHECK_EQ(Brk(start), start);
  return 0;
}
