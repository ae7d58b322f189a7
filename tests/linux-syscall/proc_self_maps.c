// /proc/self/maps: lines for what was mapped, with permissions, offsets, inodes and names; smaps is
// not needed.
#include "check.h"

struct Line {
  uintptr_t start, end;
  char prot[5];
  unsigned long offset, inode;
  char name[PATH_MAX];
};

static bool Find(const void* address, struct Line* line) {
  FILE* maps = fopen("/proc/self/maps", "re");
  CHECK(maps);
  char text[PATH_MAX + 200];
  bool found = false;
  uintptr_t last = 0;
  while (!found && fgets(text, sizeof text, maps)) {
    line->name[0] = 0;
    int n = sscanf(text, "%lx-%lx %4s %lx %*x:%*x %lu %[^\n]", &line->start, &line->end, line->prot,
                   &line->offset, &line->inode, line->name);
    CHECK(n >= 5);
    CHECK(line->start >= last && line->end > line->start);  // sorted, apart
    last = line->end;
    found = (uintptr_t)address >= line->start && (uintptr_t)address < line->end;
  }
  fclose(maps);
  return found;
}

int main(void) {
  char* home = realpath(TempDir(), NULL);
  size_t page = PageSize();
  struct Line line;
  char* p =
      CHECK_MAP(mmap(NULL, 5 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  CHECK_OK(mprotect(p + page, page, PROT_READ | PROT_EXEC));
  CHECK_OK(mprotect(p + 2 * page, page, PROT_NONE));
  CHECK(Find(p + page, &line));
  CHECK_EQ(line.start, p + page);
  CHECK_EQ(line.end, p + 2 * page);
  CHECK_STR(line.prot, "r-xp");
  CHECK(Find(p + 2 * page, &line));
  CHECK_STR(line.prot, "---p");
  CHECK(Find(p, &line));
  CHECK_STR(line.prot, "rw-p");

  int fd = (int)CHECK_OK(open("file", O_RDWR | O_CREAT, 0600));
  CHECK_OK(ftruncate(fd, (off_t)(4 * page)));
  struct stat st;
  CHECK_OK(fstat(fd, &st));
  char* f = CHECK_MAP(mmap(NULL, 2 * page, PROT_READ, MAP_SHARED, fd, (off_t)page));
  CHECK(Find(f, &line));
  CHECK_EQ(line.start, f);
  CHECK_EQ(line.end, f + 2 * page);
  CHECK_STR(line.prot, "r--s");
  CHECK_EQ(line.offset, page);
  CHECK_EQ(line.inode, st.st_ino);
  char wanted[PATH_MAX];
  snprintf(wanted, sizeof wanted, "%s/file", home);
  CHECK_STR(line.name, wanted);
  CHECK_OK(munmap(f, 2 * page));
  CHECK(!Find(f, &line));

  CHECK(Find(&line, &line));
  CHECK_STR(line.name, "[stack]");
  CHECK(Find((void*)(uintptr_t)&main, &line));
  CHECK_EQ(line.prot[2], 'x');
  CHECK_EQ(line.name[0], '/');
  char* heap = sbrk(0);
  CHECK_OK((long)(intptr_t)sbrk((intptr_t)page));
  CHECK(Find(heap, &line));
  CHECK_STR(line.name, "[heap]");
  free(home);
  return 0;
}
