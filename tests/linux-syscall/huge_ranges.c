// Calls on ranges of terabytes: those that only change what is noted of them end at once, those
// that touch each page end when the process is killed.
#include "check.h"

#if __SIZEOF_POINTER__ == 8
static const size_t kSize = (size_t)1 << 45;
static const int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

static char* Huge(int protection) {
  return CHECK_MAP(mmap(NULL, kSize, protection, kFlags, -1, 0));
}

static void Touch(int way) {
  switch (way) {
    case 0:
      mmap(NULL, kSize, PROT_READ, kFlags | MAP_POPULATE, -1, 0);
      break;
    case 1:
      mlock(Huge(PROT_READ), kSize);
      break;
    default:
      madvise(Huge(PROT_READ), kSize, 22);  // MADV_POPULATE_READ
      break;
  }
}

int main(void) {
  char* p = mmap(NULL, kSize, PROT_NONE, kFlags, -1, 0);
  if (p == MAP_FAILED) SKIP("no room for terabytes");
  const size_t page = PageSize();
  CHECK_OK(mprotect(p, kSize, PROT_READ | PROT_WRITE));
  p[kSize / 2] = 1;
  const int advice[] = {MADV_NORMAL,     MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTFORK, MADV_DOFORK,
                        MADV_WIPEONFORK, MADV_KEEPONFORK, MADV_FREE,     MADV_DONTNEED};
  for (size_t i = 0; i < sizeof advice / sizeof advice[0]; i++) madvise(p, kSize, advice[i]);
  CHECK_EQ(p[kSize / 2], 0);
  CHECK_OK(msync(p, kSize, MS_ASYNC));
  CHECK_OK(munlock(p, kSize));
  p[kSize - page] = 2;
  char* smaller = CHECK_MAP(mremap(p, kSize, kSize - 16 * page, 0));
  CHECK(smaller == p);
  CHECK_OK(munmap(p, kSize));

  for (int way = 0; way < 3; way++) {
    int ends[2];
    CHECK_OK(pipe(ends));
    const pid_t child = (pid_t)CHECK_OK(fork());
    if (child == 0) {
      CHECK_EQ(write(ends[1], "x", 1), 1);
      Touch(way);
      for (;;) pause();  // the host refused
    }
    char c;
    CHECK_EQ(read(ends[0], &c, 1), 1);
    Nap(10);
    CHECK_OK(kill(child, SIGKILL));
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    CHECK_OK(close(ends[0]));
    CHECK_OK(close(ends[1]));
  }
  return 0;
}
#else
int main(void) { SKIP("addresses are short"); }
#endif
