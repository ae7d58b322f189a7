// Memory with PROT_EXEC alone: it runs; reading it either works, in programs and in the kernel, or
// faults in both.
#include "faults.h"

static bool Reads(const char* page) {
  caught.si_signo = 0;
  if (sigsetjmp(back, 1) == 0) {
    (void)*(volatile const char*)page;
    return true;
  }
  CHECK_EQ(caught.si_signo, SIGSEGV);
  CHECK(caught.si_code == SEGV_ACCERR || caught.si_code == SEGV_PKUERR);
  CHECK(caught.si_addr == page);
  return false;
}

static void CheckWriteFaults(char* page) {
  if (sigsetjmp(back, 1) == 0) {
    *(volatile char*)page = 1;
    FAIL("it could be written");
  }
  CHECK_EQ(caught.si_signo, SIGSEGV);
  CHECK(caught.si_code == SEGV_ACCERR || caught.si_code == SEGV_PKUERR);
}

int main(void) {
#if defined(__riscv)
  const uint32_t code[] = {0x00008067};  // ret
#else
  const unsigned char code[] = {0xc3};  // ret
#endif
  struct sigaction action = {.sa_sigaction = OnFault, .sa_flags = SA_SIGINFO};
  CHECK_OK(sigaction(SIGSEGV, &action, NULL));
  const size_t page = PageSize();
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  char* text = CHECK_MAP(mmap(NULL, page, PROT_READ | PROT_WRITE, flags, -1, 0));
  memcpy(text, code, sizeof code);
  CHECK_OK(mprotect(text, page, PROT_EXEC));
  __builtin___clear_cache(text, text + page);
  ((void (*)(void))text)();
  int ends[2];
  CHECK_OK(pipe(ends));
  const bool readable = Reads(text);
  if (readable) {
    CHECK_EQ(write(ends[1], text, 1), 1);
  } else {
    CHECK_ERR(write(ends[1], text, 1), EFAULT);
  }
  const int zero = (int)CHECK_OK(open("/dev/zero", O_RDONLY));
  CHECK_ERR(read(zero, text, 1), EFAULT);
  CheckWriteFaults(text);

  char* fresh = CHECK_MAP(mmap(NULL, page, PROT_EXEC, flags, -1, 0));
  CHECK_EQ(Reads(fresh), readable);
  CheckWriteFaults(fresh);
  CHECK_OK(mprotect(fresh, page, PROT_READ | PROT_EXEC));
  CHECK(Reads(fresh));
  CHECK_OK(mprotect(text, page, PROT_READ));
  CHECK_MEM(text, code, sizeof code);
  char* written = CHECK_MAP(mmap(NULL, page, PROT_WRITE, flags, -1, 0));
  CHECK(Reads(written));
  return 0;
}
