// getdents(2) into a buffer whose end is bad gives the entries before it.
#include "check.h"

int main(void) {
  TempDir();
  char name[32];
  for (int i = 0; i < 60; i++) {
    snprintf(name, sizeof name, "file-%02d", i);
    CHECK(close(open(name, O_CREAT | O_WRONLY, 0600)) == 0);
  }
  char* pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(pages != MAP_FAILED);
  CHECK(munmap(pages + 4096, 4096) == 0);
  const int fd = open(".", O_RDONLY | O_DIRECTORY);
  CHECK(fd >= 0);
  CHECK_ERR(syscall(SYS_getdents64, fd, pages + 4096, 1000), EFAULT);
  CHECK_ERR(syscall(SYS_getdents64, fd, pages, 0x80000000u), EINVAL);
  int entries = 0;
  for (;;) {
    char* const start = pages + 4096 - 200;
    const long count = syscall(SYS_getdents64, fd, start, 4096);
    CHECK(count >= 0 && count <= 200);
    if (count == 0) break;
    for (long at = 0; at < count; entries++) {
      uint16_t length;
      memcpy(&length, start + at + 16, sizeof length);
      at += length;
    }
  }
  CHECK(entries == 62);
  const int proc = open("/proc/self", O_RDONLY | O_DIRECTORY);
  CHECK(proc >= 0);
  CHECK(lseek(proc, 0, SEEK_END) >= 0);
  return 0;
}
