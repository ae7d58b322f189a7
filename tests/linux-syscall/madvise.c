// madvise(2): MADV_DONTNEED empties, MADV_DONTFORK and MADV_WIPEONFORK over fork, hints, errors.
#include "check.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

static char* Fresh(size_t size) {
  return CHECK_MAP(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

int main(void) {
  TempDir();
  size_t page = PageSize();
  char* p = Fresh(4 * page);
  memset(p, 'x', 4 * page);
  CHECK_OK(madvise(p + page, 2 * page, MADV_DONTNEED));
  CHECK_EQ(p[page - 1], 'x');
  for (size_t i = page; i < 3 * page; i++) CHECK(p[i] == 0);
  CHECK_EQ(p[3 * page], 'x');
  p[page] = 'y';
  CHECK_EQ(p[page], 'y');
  CHECK_OK(madvise(p, 1, MADV_DONTNEED));  // rounds up to a page
  CHECK_EQ(p[page - 1], 0);

  // Private pages of a file show the file again; shared ones keep their data.
  int fd = (int)CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
  CHECK_OK(ftruncate(fd, (off_t)page));
  CHECK_EQ(pwrite(fd, "file", 4, 0), 4);
  char* private_map = CHECK_MAP(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
  memcpy(private_map, "mine", 4);
  CHECK_OK(madvise(private_map, page, MADV_DONTNEED));
  CHECK_MEM(private_map, "file", 4);
  char* shared = CHECK_MAP(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  memcpy(shared, "kept", 4);
  CHECK_OK(madvise(shared, page, MADV_DONTNEED));
  CHECK_MEM(shared, "kept", 4);
  // MADV_REMOVE punches a hole, where the file system can.
  if (madvise(shared, page, MADV_REMOVE) == 0) CHECK_EQ(shared[0], 0);

  // A child's DONTNEED is its own business.
  memset(p, 'z', page);
  IN_CHILD(CHECK_OK(madvise(p, page, MADV_DONTNEED)); CHECK_EQ(p[0], 0));
  CHECK_EQ(p[0], 'z');

  char* wiped = Fresh(page);
  memset(wiped, 'w', page);
  CHECK_OK(madvise(wiped, page, MADV_WIPEONFORK));
  IN_CHILD(CHECK_EQ(wiped[0], 0); wiped[0] = 'c');
  CHECK_EQ(wiped[0], 'w');
  CHECK_OK(madvise(wiped, page, MADV_KEEPONFORK));
  IN_CHILD(CHECK_EQ(wiped[0], 'w'));
  CHECK_ERR(madvise(shared, page, MADV_WIPEONFORK), EINVAL);
  CHECK_OK(madvise(wiped, page, MADV_DONTFORK));
  IN_CHILD_KILLED_BY(SIGSEGV, *(volatile char*)wiped = 1);
  CHECK_OK(madvise(wiped, page, MADV_DOFORK));
  IN_CHILD(CHECK_EQ(wiped[0], 'w'));

  CHECK_OK(madvise(p, 4 * page, MADV_POPULATE_WRITE));
  CHECK_EQ(p[0], 'z');
  CHECK_OK(madvise(p, 4 * page, MADV_POPULATE_READ));
  char* lazy = Fresh(page);
  memset(lazy, 'l', page);
  CHECK_OK(madvise(lazy, page, MADV_FREE));
  CHECK(lazy[5] == 'l' || lazy[5] == 0);
  lazy[5] = 'n';
  CHECK_EQ(lazy[5], 'n');
  static const int kHints[] = {MADV_NORMAL,   MADV_RANDOM,   MADV_SEQUENTIAL,
                               MADV_WILLNEED, MADV_DONTDUMP, MADV_DODUMP};
  for (size_t i = 0; i < sizeof kHints / sizeof kHints[0]; i++) {
    CHECK_OK(madvise(p, 4 * page, kHints[i]));
    CHECK_EQ(p[0], 'z');
  }

  CHECK_ERR(madvise(p + 1, page, MADV_NORMAL), EINVAL);
  CHECK_ERR(madvise(p, page, 9999), EINVAL);
  CHECK_OK(madvise(p, 0, MADV_DONTNEED));
  CHECK_ERR(madvise(p, SIZE_MAX - page, MADV_DONTNEED), EINVAL);
  CHECK_OK(munmap(p + 2 * page, page));
  memset(p, 'h', 2 * page);
  CHECK_ERR(madvise(p, 4 * page, MADV_DONTNEED), ENOMEM);  // but what is mapped was done
  CHECK_EQ(p[0], 0);
  CHECK_EQ(p[3 * page], 0);
  return 0;
}
