// mlock(2), munlock(2), mlockall(2), mlock2(2): limits and arguments.
#include <sys/resource.h>

#include "check.h"

// VmLck of /proc/self/status.
static long LockedKb(void) {
  FILE* status = fopen("/proc/self/status", "r");
  char line[256];
  long kb = -1;
  CHECK(status);
  while (kb < 0 && fgets(line, sizeof line, status)) sscanf(line, "VmLck: %ld kB", &kb);
  fclose(status);
  return kb;
}

// Also what can only be written, and what is shared.
static void TestResident(void) {
  size_t page = PageSize();
  const int protections[] = {PROT_READ, PROT_WRITE, PROT_READ | PROT_WRITE};
  const int kinds[] = {MAP_SHARED, MAP_PRIVATE};
  unsigned char in[2];
  for (int i = 0; i < 6; i++) {
    int flags = kinds[i % 2] | MAP_ANONYMOUS;
    char* p = CHECK_MAP(mmap(NULL, 2 * page, protections[i / 2], flags, -1, 0));
    CHECK_OK(mlock(p, page));
    CHECK_OK(mincore(p, 2 * page, in));
    CHECK(in[0] & 1);
    p = CHECK_MAP(mmap(NULL, 2 * page, protections[i / 2], flags | MAP_POPULATE, -1, 0));
    CHECK_OK(mincore(p, 2 * page, in));
    CHECK((in[0] & 1) && (in[1] & 1));
  }
}

int main(void) {
  TestResident();
  size_t page = PageSize();
  char* p =
      CHECK_MAP(mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  CHECK_OK(mlock(p, page));
  unsigned char in[4];
  CHECK_OK(mincore(p, page, in));
  CHECK(in[0] & 1);
  CHECK_OK(mlock(p + 10, page));  // rounds to pages
  CHECK_OK(munlock(p, 2 * page));
  CHECK_OK(syscall(SYS_mlock2, p, page, MLOCK_ONFAULT));
  CHECK_ERR(syscall(SYS_mlock2, p, page, 0x80), EINVAL);
  CHECK_OK(munlock(p, page));
  CHECK_ERR(mlockall(0), EINVAL);
  CHECK_ERR(mlockall(0x80), EINVAL);
  CHECK_OK(munlockall());
  CHECK_OK(munmap(p + 2 * page, page));
  CHECK_ERR(mlock(p, 4 * page), ENOMEM);
  CHECK_ERR(munlock(p, 4 * page), ENOMEM);
  CHECK_OK(munlockall());

  // A part of a mapping: that part's pages, whoever asks.
  const int kinds[] = {MAP_PRIVATE, MAP_SHARED};
  for (int i = 0; i < 2; i++) {
    char* const whole =
        CHECK_MAP(mmap(NULL, 8 * page, PROT_READ | PROT_WRITE, kinds[i] | MAP_ANONYMOUS, -1, 0));
    madvise(whole, 8 * page, MADV_NOHUGEPAGE);
    const long before = LockedKb();
    unsigned char parts[8];
    CHECK_OK(syscall(SYS_mlock2, whole + 2 * page, page, MLOCK_ONFAULT));
    CHECK_EQ(LockedKb() - before, (long)page / 1024);
    CHECK_OK(mincore(whole, 8 * page, parts));
    for (int at = 0; at < 8; at++) CHECK_EQ(parts[at] & 1, 0);
    CHECK_OK(syscall(SYS_mlock2, whole + 2 * page, page, 0));
    CHECK_OK(mincore(whole, 8 * page, parts));
    for (int at = 0; at < 8; at++) CHECK_EQ(parts[at] & 1, at == 2);
    CHECK_OK(munlock(whole, 8 * page));
    CHECK_EQ(LockedKb(), before);
  }

  IN_CHILD({
    struct rlimit none = {0, 0};
    CHECK_OK(setrlimit(RLIMIT_MEMLOCK, &none));
    BecomeNobody();
    CHECK_ERR(mlock(p, page), EPERM);
    CHECK_ERR(mlockall(MCL_CURRENT), EPERM);
  });
  IN_CHILD({
    struct rlimit small = {2 * page, 2 * page};
    CHECK_OK(setrlimit(RLIMIT_MEMLOCK, &small));
    BecomeNobody();
    char* q =
        CHECK_MAP(mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    CHECK_OK(mlock(q, 2 * page));
    CHECK_OK(mlock(q, 2 * page));  // again: not counted twice
    CHECK_ERR(mlock(q, 3 * page), ENOMEM);
    CHECK_OK(munlock(q, 2 * page));
    CHECK_OK(mlock(q + 2 * page, 2 * page));
    // What makes a mapping, or makes it grow, says EAGAIN.
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED;
    CHECK_ERR(mmap(NULL, page, PROT_READ, flags, -1, 0), EAGAIN);
    CHECK_ERR(mremap(q + 2 * page, 2 * page, 4 * page, MREMAP_MAYMOVE), EAGAIN);
    CHECK_OK(munlock(q, 4 * page));
    char* locked = CHECK_MAP(mmap(NULL, page, PROT_READ, flags, -1, 0));
    locked = CHECK_MAP(mremap(locked, page, 2 * page, MREMAP_MAYMOVE));
    CHECK_ERR(mremap(locked, 2 * page, 3 * page, MREMAP_MAYMOVE), EAGAIN);
  });
  return 0;
}
