// SIGBUS beyond the last page of a file; files that shrink and grow under a mapping; EFAULT in
// calls.
#include "faults.h"

static int Touch(char* at) {
  if (sigsetjmp(back, 1) == 0) {
    (void)*(volatile char*)at;
    return 0;
  }
  CHECK_EQ((uintptr_t)caught.si_addr & ~(PageSize() - 1), (uintptr_t)at & ~(PageSize() - 1));
  return caught.si_signo;
}

int main(void) {
  TempDir();
  size_t page = PageSize();
  struct sigaction action = {.sa_sigaction = OnFault, .sa_flags = SA_SIGINFO};
  CHECK_OK(sigaction(SIGBUS, &action, NULL));
  CHECK_OK(sigaction(SIGSEGV, &action, NULL));
  int fd = (int)CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
  CHECK_OK(ftruncate(fd, (off_t)page + 10));
  char* p = CHECK_MAP(mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  CHECK_EQ(Touch(p), 0);
  CHECK_EQ(Touch(p + 2 * page - 1), 0);  // the rest of the last page
  CHECK_EQ(Touch(p + 2 * page), SIGBUS);
  CHECK_EQ(caught.si_code, BUS_ADRERR);
  CHECK_EQ(Touch(p + 4 * page - 1), SIGBUS);
  char* q = CHECK_MAP(mmap(NULL, page, PROT_READ, MAP_PRIVATE, fd, (off_t)(10 * page)));
  CHECK_EQ(Touch(q), SIGBUS);

  // Bytes behind the end are not the file's.
  p[page + 100] = 'x';
  struct stat st;
  CHECK_OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, page + 10);

  // Growing and shrinking.
  CHECK_OK(ftruncate(fd, (off_t)(4 * page)));
  CHECK_EQ(Touch(p + 3 * page), 0);
  p[3 * page] = 'g';
  CHECK_OK(ftruncate(fd, (off_t)page));
  CHECK_EQ(Touch(p), 0);
  CHECK_EQ(Touch(p + page), SIGBUS);
  CHECK_EQ(Touch(p + 3 * page), SIGBUS);
  CHECK_OK(ftruncate(fd, (off_t)(4 * page)));
  CHECK_EQ(Touch(p + 3 * page), 0);
  CHECK_EQ(p[3 * page], 0);  // the old contents do not come back

  // Calls get EFAULT instead of a signal.
  CHECK_OK(ftruncate(fd, (off_t)page));
  int null = (int)CHECK_OK(open("/dev/zero", O_RDWR));
  int ends[2];
  CHECK_OK(pipe(ends));
  CHECK_ERR(write(ends[1], p + 2 * page, 1), EFAULT);
  CHECK_ERR(read(null, p + 2 * page, 1), EFAULT);
  CHECK_ERR(stat(p + 2 * page, &st), EFAULT);
  // Reading up to the end of the file and into it: a partial count.
  CHECK_EQ(read(null, p, 3 * page), page);

  // Another process shrinks it while we hold it mapped.
  CHECK_OK(ftruncate(fd, (off_t)(4 * page)));
  CHECK_EQ(Touch(p + 2 * page), 0);
  IN_CHILD(CHECK_OK(truncate("f", 0)));
  CHECK_EQ(Touch(p + 2 * page), SIGBUS);
  CHECK_EQ(Touch(p), SIGBUS);
  CHECK_OK(munmap(p, 4 * page));
  CHECK_EQ(Touch(p), SIGSEGV);
  CHECK_EQ(caught.si_code, SEGV_MAPERR);
  return 0;
}
