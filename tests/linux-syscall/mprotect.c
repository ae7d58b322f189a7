// mprotect(2): transitions, parts of mappings, holes, executable pages, signals' codes.
#include "faults.h"

static bool Readable(char* at) {
  if (sigsetjmp(back, 1)) return false;
  (void)*(volatile char*)at;
  return true;
}

static bool Writable(char* at) {
  if (sigsetjmp(back, 1)) return false;
  *(volatile char*)at = *(volatile char*)at;
  return true;
}

int main(void) {
  size_t page = PageSize();
  struct sigaction action = {.sa_sigaction = OnFault, .sa_flags = SA_SIGINFO};
  CHECK_OK(sigaction(SIGSEGV, &action, NULL));
  char* p =
      CHECK_MAP(mmap(NULL, 6 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  memset(p, 'm', 6 * page);
  CHECK_OK(mprotect(p + 2 * page, 2 * page, PROT_READ));
  CHECK(Writable(p + 2 * page - 1));
  CHECK(Readable(p + 2 * page) && !Writable(p + 2 * page));
  CHECK_EQ(caught.si_signo, SIGSEGV);
  CHECK_EQ(caught.si_code, SEGV_ACCERR);
  CHECK_EQ(caught.si_addr, p + 2 * page);
  CHECK(!Writable(p + 4 * page - 1));
  CHECK(Writable(p + 4 * page));
  CHECK_OK(mprotect(p, 6 * page, PROT_NONE));
  CHECK(!Readable(p + page));
  CHECK_OK(mprotect(p + page, 1, PROT_READ | PROT_WRITE));  // rounds up
  CHECK(Writable(p + 2 * page - 1) && !Readable(p + 2 * page));
  CHECK_EQ(p[page], 'm');  // contents outlast PROT_NONE
  CHECK_OK(mprotect(p, 6 * page, PROT_READ | PROT_WRITE));
  for (size_t i = 0; i < 6 * page; i++) CHECK(p[i] == 'm');

  // A child's pages are its own.
  IN_CHILD(CHECK_OK(mprotect(p, page, PROT_NONE)));
  CHECK(Writable(p));
  CHECK_OK(mprotect(p, page, PROT_READ));
  IN_CHILD(CHECK(!Writable(p)); CHECK_OK(mprotect(p, page, PROT_READ | PROT_WRITE)); p[0] = 'c');
  CHECK_EQ(p[0], 'm');

  // Calls respect it.
  int zero = (int)CHECK_OK(open("/dev/zero", O_RDONLY));
  CHECK_ERR(read(zero, p, 1), EFAULT);
  CHECK_OK(mprotect(p, page, PROT_READ | PROT_WRITE));
  CHECK_EQ(read(zero, p, 1), 1);

  // A hole: ENOMEM, though what lies before it was changed.
  CHECK_OK(munmap(p + 3 * page, page));
  CHECK_ERR(mprotect(p + 2 * page, 3 * page, PROT_READ), ENOMEM);
  CHECK(!Writable(p + 2 * page));
  CHECK(Writable(p + 4 * page));
  CHECK_ERR(mprotect(p + 3 * page, page, PROT_READ), ENOMEM);
  CHECK_ERR(mprotect(p + 1, page, PROT_READ), EINVAL);
  CHECK_OK(mprotect(p + 3 * page, 0, PROT_READ));
  CHECK_ERR(mprotect(p, page, 0x80), EINVAL);
  CHECK_ERR(mprotect((void*)(UINTPTR_MAX - page + 1), page, PROT_READ), ENOMEM);

  // Code written, made executable, run: `return 42`.
#if defined(__x86_64__)
  static const unsigned char kCode[] = {0xb8, 42, 0, 0, 0, 0xc3};
#elif defined(__riscv)
  static const unsigned char kCode[] = {0x13, 0x05, 0xa0, 0x02, 0x67, 0x80, 0x00, 0x00};
#else
#error "no code for this processor"
#endif
  memcpy(p, kCode, sizeof kCode);
  CHECK_OK(mprotect(p, page, PROT_READ | PROT_EXEC));
  __builtin___clear_cache(p, p + sizeof kCode);
  CHECK_EQ(((int (*)(void))(uintptr_t)p)(), 42);
  CHECK(!Writable(p));
  return 0;
}
