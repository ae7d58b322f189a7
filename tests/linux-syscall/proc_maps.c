// /proc/self/maps: a line for each mapping, with the right bounds, rights, offset, file; [heap],
// [stack].
#include "proc.h"

struct Line {
  uintptr_t start, end;
  char rights[5];
  unsigned long offset, inode;
  char name[256];
};

static char text[1 << 18];

static bool Parse(const char* line, struct Line* out) {
  out->name[0] = 0;
  return sscanf(line, "%lx-%lx %4s %lx %*x:%*x %lu %255[^\n]", &out->start, &out->end, out->rights,
                &out->offset, &out->inode, out->name) >= 5;
}

static bool Find(const void* address, struct Line* out) {
  ReadText("/proc/self/maps", text, sizeof text);
  for (char* line = text; *line; line = strchr(line, '\n') + 1) {
    CHECK(Parse(line, out));
    if ((uintptr_t)address >= out->start && (uintptr_t)address < out->end) return true;
  }
  return false;
}

static bool Named(const char* name, struct Line* out) {
  ReadText("/proc/self/maps", text, sizeof text);
  for (char* line = text; *line; line = strchr(line, '\n') + 1) {
    CHECK(Parse(line, out));
    if (strcmp(out->name, name) == 0) return true;
  }
  return false;
}

int main(void) {
  size_t page = PageSize();
  struct Line line, last = {0};
  const char* home = TempDir();
  int local;
  CHECK(Find(&local, &line));
  CHECK_STR(line.name, "[stack]");
  CHECK(strncmp(line.rights, "rw", 2) == 0);
  void* brk_start = sbrk(0);
  CHECK(sbrk(1 << 16) != (void*)-1);
  CHECK(Named("[heap]", &line));
  CHECK((uintptr_t)brk_start >= line.start && (uintptr_t)brk_start <= line.end);

  // Our own code.
  char exe[PATH_MAX] = "";
  CHECK_OK(readlink("/proc/self/exe", exe, sizeof exe - 1));
  CHECK(Find((void*)(uintptr_t)main, &line));
  CHECK_STR(line.rights, "r-xp");
  CHECK_STR(line.name, exe);
  struct stat st;
  CHECK_OK(stat("/proc/self/exe", &st));
  CHECK_EQ(line.inode, st.st_ino);

  // Ascending and without overlap.
  ReadText("/proc/self/maps", text, sizeof text);
  for (char* at = text; *at; at = strchr(at, '\n') + 1) {
    CHECK(Parse(at, &line));
    CHECK(line.start < line.end && line.start >= last.end);
    CHECK_EQ((line.start | line.end) % page, 0);
    last = line;
  }

  // Mappings come and go, split and have rights.
  char* memory = CHECK_MAP(mmap(NULL, 5 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  CHECK_OK(mprotect(memory + page, page, PROT_READ));
  CHECK_OK(mprotect(memory + 2 * page, page, PROT_READ | PROT_WRITE | PROT_EXEC));
  CHECK_OK(munmap(memory + 3 * page, page));
  CHECK(Find(memory, &line));
  CHECK_STR(line.rights, "---p");
  CHECK_EQ(line.end, (uintptr_t)memory + page);
  CHECK(Find(memory + page, &line));
  CHECK_STR(line.rights, "r--p");
  CHECK(Find(memory + 2 * page, &line));
  CHECK_STR(line.rights, "rwxp");
  CHECK_EQ(line.end, (uintptr_t)memory + 3 * page);
  CHECK_EQ(line.inode, 0);
  CHECK(!Find(memory + 3 * page, &line));

  int fd = (int)CHECK_OK(open("a file", O_RDWR | O_CREAT, 0644));
  CHECK_OK(ftruncate(fd, (off_t)(4 * page)));
  CHECK_OK(fstat(fd, &st));
  char* shared =
      CHECK_MAP(mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)page));
  CHECK(Find(shared, &line));
  CHECK_STR(line.rights, "rw-s");
  CHECK_EQ(line.offset, page);
  CHECK_EQ(line.inode, st.st_ino);
  CHECK(strncmp(line.name, home, strlen(home)) == 0);
  CHECK_STR(line.name + strlen(home), "/a file");
  CHECK_OK(unlink("a file"));
  CHECK(Find(shared, &line));
  CHECK_STR(line.name + strlen(home), "/a file (deleted)");

  // smaps has the same lines with figures below each; a child's maps can be read from outside.
  ReadText("/proc/self/smaps", text, sizeof text);
  CHECK(Parse(text, &line));
  CHECK(strstr(text, "\nRss:") && strstr(text, "\nPss:") && strstr(text, "\nSize:"));
  pid_t pid = Fork();
  if (pid == 0)
    for (;;) pause();
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
  ReadText(path, text, sizeof text);
  CHECK(strstr(text, "[stack]") != NULL);
  CHECK_OK(kill(pid, SIGKILL));
  WAIT_SIGNAL(pid, SIGKILL);
  return 0;
}
