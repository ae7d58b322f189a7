// Copy-on-write over generations: everybody sees his own past, and only that.
#include "check.h"

enum { kPages = 300 };

static void Generation(unsigned char* p, size_t page, int depth) {
  for (int i = 0; i < kPages; i++) {
    // Page i was last written by the deepest generation g <= depth with i % (g + 2) == 0.
    int wanted = 0;
    for (int g = 1; g < depth; g++)
      if (i % (g + 2) == 0) wanted = g;
    CHECK_EQ(p[(size_t)i * page], wanted);
  }
  if (depth == 5) return;
  for (int i = 0; i < kPages; i += depth + 2) p[(size_t)i * page] = (unsigned char)depth;
  IN_CHILD(Generation(p, page, depth + 1));
  // What the child did is not seen here.
  for (int i = 0; i < kPages; i += depth + 2) CHECK_EQ(p[(size_t)i * page], depth);
}

int main(void) {
  size_t page = PageSize();
  unsigned char* p = (unsigned char*)CHECK_MAP(
      mmap(NULL, kPages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  Generation(p, page, 1);

  // Two children of one parent at the same time; the parent writes meanwhile.
  int go[2];
  CHECK_OK(pipe(go));
  memset(p, 'P', kPages * page);
  pid_t pids[2];
  for (int c = 0; c < 2; c++) {
    pids[c] = Fork();
    if (pids[c] == 0) {
      close(go[1]);
      char byte;
      CHECK_EQ(read(go[0], &byte, 1), 0);
      for (size_t i = 0; i < kPages * page; i += page) CHECK_EQ(p[i], 'P');
      memset(p, 'A' + c, kPages * page);
      for (size_t i = 0; i < kPages * page; i++) CHECK(p[i] == 'A' + c);
      _exit(0);
    }
  }
  memset(p, 'Q', kPages * page);
  close(go[1]);
  for (int c = 0; c < 2; c++) WAIT_EXIT(pids[c], 0);
  for (size_t i = 0; i < kPages * page; i++) CHECK(p[i] == 'Q');

  // Read by the kernel into a page that is shared with a child.
  int zero = (int)CHECK_OK(open("/dev/zero", O_RDONLY));
  IN_CHILD(CHECK_EQ(read(zero, p, 3 * page), 3 * page); CHECK_EQ(p[page], 0));
  CHECK_EQ(p[page], 'Q');
  return 0;
}
