// Takes memory, and writes to all of it, until somebody stops it.
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

int main(void) {
  const size_t size = 1 << 20;
  for (;;) {
    void* more = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (more == MAP_FAILED) return 1;
    memset(more, 1, size);
  }
}
