// SIGBUS with BUS_ADRERR: memory beyond the end of a mapped file, also after it was shortened by
// another.
#include "faults.h"
#include "proc.h"

#define FAULTS(address, ...)              \
  do {                                    \
    if (sigsetjmp(back, 1) == 0) {        \
      __VA_ARGS__;                        \
      FAIL("no fault");                   \
    }                                     \
    CHECK_EQ(caught.si_signo, SIGBUS);    \
    CHECK_EQ(caught.si_code, BUS_ADRERR); \
    CHECK(caught.si_addr == (address));   \
  } while (0)

int main(void) {
  TempDir();
  size_t page = PageSize();
  volatile char sink;
  HandleInfo(SIGBUS, OnFault, 0);
  for (int flags = MAP_SHARED; flags <= MAP_PRIVATE; flags++) {
    int fd = (int)CHECK_OK(open("file", O_RDWR | O_CREAT | O_TRUNC, 0644));
    CHECK_OK(ftruncate(fd, (off_t)page + 10));
    char* map = CHECK_MAP(mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, flags, fd, 0));
    sink = map[page + 5];
    sink = map[2 * page - 1];  // the rest of the last page is zeros
    CHECK_EQ(sink, 0);
    FAULTS(map + 2 * page, sink = map[2 * page]);
    FAULTS(map + 3 * page + 7, map[3 * page + 7] = 1);
    map[page] = 'x';

    // System calls see EFAULT instead.
    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_ERR(write(ends[1], map + 2 * page, 1), EFAULT);

    // The file grows: the memory works. It shrinks: it does not, whoever did it.
    CHECK_OK(ftruncate(fd, (off_t)(3 * page)));
    CHECK_EQ(map[2 * page], 0);
    IN_CHILD(CHECK_OK(truncate("file", 0)));
    FAULTS(map + 1, sink = map[1]);
    CHECK_OK(ftruncate(fd, 1));
    if (flags == MAP_SHARED) CHECK_EQ(map[0], 0);
    CHECK_OK(munmap(map, 4 * page));
    close(fd);
    close(ends[0]);
    close(ends[1]);
  }
  // By default it kills.
  CHECK_OK(setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}));
  Handle(SIGBUS, SIG_DFL, 0);
  int fd = (int)CHECK_OK(open("file", O_RDWR | O_TRUNC));
  char* map = CHECK_MAP(mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0));
  IN_CHILD_KILLED_BY(SIGBUS, sink = map[0]);
  (void)sink;
  return 0;
}
