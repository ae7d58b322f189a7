// The vDSO is a mapping as others are: it can be unmapped, or mapped over, alone or with what lies
// around it. A child of fork has none then either; a new program has one again.
#include <sys/auxv.h>

#include "check.h"

static uintptr_t low, high;  // of [vdso], and of the data pages beside it

static int Find(void) {
  FILE* maps = fopen("/proc/self/maps", "r");
  char line[512];
  int found = 0;
  uintptr_t from, to;
  CHECK(maps);
  low = UINTPTR_MAX;
  high = 0;
  while (fgets(line, sizeof line, maps)) {
    if (!strstr(line, "[vdso]") && !strstr(line, "[vvar")) continue;
    CHECK_EQ(sscanf(line, "%lx-%lx", &from, &to), 2);
    if (from < low) low = from;
    if (to > high) high = to;
    found++;
  }
  fclose(maps);
  return found;
}

static void CheckGone(void) {
  CHECK_EQ(Find(), 0);
  CHECK_ERR(write(1, (void*)getauxval(AT_SYSINFO_EHDR), 1), EFAULT);
}

static int IsThere(uintptr_t page) {
  unsigned char resident;
  return mincore((void*)page, PageSize(), &resident) == 0;
}

int main(int count, char** words) {
  if (!Find()) SKIP("no vDSO");
  const uintptr_t from = low, to = high, header = getauxval(AT_SYSINFO_EHDR);
  if (count > 1) {  // a program that one without it has started
    CHECK(header >= low && header < high && *(const char*)header == 0x7f);
    return 0;
  }
  IN_CHILD({
    CHECK_OK(munmap((void*)from, to - from));
    CheckGone();
    CHECK_ERR(munmap((void*)(from + 1), PageSize()), EINVAL);
    CHECK_OK(munmap((void*)from, to - from));
    IN_CHILD(CheckGone());
    // Its place is as good as any.
    char* page = CHECK_MAP(mmap((void*)header, PageSize(), PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    strcpy(page, "mine");
    IN_CHILD(CHECK_STR(page, "mine"); page[0] = 'f');
    CHECK_STR(page, "mine");
    execl("/proc/self/exe", words[0], "again", NULL);
    _exit(1);
  });
  // The code alone; its data may stay.
  IN_CHILD({
    CHECK_OK(munmap((void*)header, to - header));
    CHECK(!IsThere(header));
    IN_CHILD(CHECK(!IsThere(header)));
    CHECK_EQ(getppid(), getppid());
  });
  IN_CHILD({
    char* pages = CHECK_MAP(mmap((void*)from, to - from, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    memset(pages, 'x', to - from);
    CHECK_EQ(Find(), 0);
  });
  IN_CHILD({
    const size_t size = to - from;
    char* pages =
        CHECK_MAP(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    strcpy(pages, "moved");
    CHECK(mremap(pages, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, (void*)from) == (void*)from);
    CHECK_EQ(Find(), 0);
    CHECK_STR((char*)from, "moved");
  });
  // Others have theirs.
  CHECK(*(const char*)header == 0x7f);
  CHECK(Find() > 0);
  return 0;
}
