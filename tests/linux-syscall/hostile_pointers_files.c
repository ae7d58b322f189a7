// Pointers that are not the program's, given to calls on files: EFAULT from each, and the process
// lives on.
#include <sys/uio.h>

#include "check.h"

static int fd, ends[2];

static void Reads(uintptr_t bad) {
  CHECK_ERR(syscall(SYS_read, fd, bad, 10), EFAULT);
  CHECK_ERR(syscall(SYS_pread64, fd, bad, 10, 0), EFAULT);
  CHECK_ERR(syscall(SYS_read, ends[0], bad, 4), EFAULT);
  CHECK_ERR(syscall(SYS_getdents64, fd, bad, 100), ENOTDIR);
  CHECK_ERR(syscall(SYS_fstat, fd, bad), EFAULT);
  CHECK_ERR(syscall(SYS_newfstatat, AT_FDCWD, ".", bad, 0), EFAULT);
  CHECK_ERR(syscall(SYS_statfs, ".", bad), EFAULT);
  CHECK_ERR(syscall(SYS_getcwd, bad, 4096), EFAULT);
  CHECK_ERR(syscall(SYS_readlinkat, AT_FDCWD, "link", bad, 10), EFAULT);
  CHECK_ERR(syscall(SYS_pipe2, bad, 0), EFAULT);
  struct iovec part = {(void*)bad, 10};
  CHECK_ERR(syscall(SYS_readv, fd, &part, 1), EFAULT);
  CHECK_ERR(syscall(SYS_readv, fd, bad, 1), EFAULT);
  struct iovec parts[2] = {{(char[4]){0}, 4}, part};
  // The whole vector may be refused beforehand when an address can never be the program's.
  long n = syscall(SYS_preadv, fd, parts, 2, 0, 0);
  CHECK(n == 4 || (bad >= 0x800000000000 && n == -1 && errno == EFAULT));
}

static void Writes(uintptr_t bad) {
  CHECK_ERR(syscall(SYS_write, fd, bad, 10), EFAULT);
  CHECK_ERR(syscall(SYS_write, ends[1], bad, 10), EFAULT);
  CHECK_ERR(syscall(SYS_pwrite64, fd, bad, 10, 0), EFAULT);
  CHECK_ERR(syscall(SYS_writev, fd, bad, 1), EFAULT);
}

static void Paths(uintptr_t bad) {
  struct timespec times[2] = {{0, 0}, {0, 0}};
  CHECK_ERR(syscall(SYS_openat, AT_FDCWD, bad, O_RDONLY), EFAULT);
  CHECK_ERR(syscall(SYS_newfstatat, AT_FDCWD, bad, times, 0), EFAULT);
  CHECK_ERR(syscall(SYS_faccessat, AT_FDCWD, bad, 0), EFAULT);
  CHECK_ERR(syscall(SYS_mkdirat, AT_FDCWD, bad, 0), EFAULT);
  CHECK_ERR(syscall(SYS_unlinkat, AT_FDCWD, bad, 0), EFAULT);
  CHECK_ERR(syscall(SYS_symlinkat, bad, AT_FDCWD, "x"), EFAULT);
  CHECK_ERR(syscall(SYS_symlinkat, "x", AT_FDCWD, bad), EFAULT);
  CHECK_ERR(syscall(SYS_linkat, AT_FDCWD, bad, AT_FDCWD, "x", 0), EFAULT);
  CHECK_ERR(syscall(SYS_linkat, AT_FDCWD, "f", AT_FDCWD, bad, 0), EFAULT);
  CHECK_ERR(syscall(SYS_renameat2, AT_FDCWD, bad, AT_FDCWD, "x", 0), EFAULT);
  CHECK_ERR(syscall(SYS_renameat2, AT_FDCWD, "f", AT_FDCWD, bad, 0), EFAULT);
  CHECK_ERR(syscall(SYS_readlinkat, AT_FDCWD, bad, times, 10), EFAULT);
  CHECK_ERR(syscall(SYS_chdir, bad), EFAULT);
  CHECK_ERR(syscall(SYS_fchmodat, AT_FDCWD, bad, 0), EFAULT);
  CHECK_ERR(syscall(SYS_fchownat, AT_FDCWD, bad, -1, -1, 0), EFAULT);
  CHECK_ERR(syscall(SYS_truncate, bad, 0), EFAULT);
  CHECK_ERR(syscall(SYS_mknodat, AT_FDCWD, bad, S_IFIFO, 0), EFAULT);
  if (bad) CHECK_ERR(syscall(SYS_utimensat, AT_FDCWD, bad, times, 0), EFAULT);
  CHECK_ERR(syscall(SYS_statfs, bad, times), EFAULT);
  CHECK_ERR(syscall(SYS_setxattr, "f", bad, "x", 1, 0), EFAULT);
  CHECK_ERR(syscall(SYS_getxattr, bad, "user.x", NULL, 0), EFAULT);
  CHECK_ERR(syscall(SYS_execve, bad, NULL, NULL), EFAULT);
}

int main(void) {
  TempDir();
  fd = (int)CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
  CHECK_EQ(write(fd, "0123456789abcdef", 16), 16);
  CHECK_OK(symlink("f", "link"));
  CHECK_OK(pipe2(ends, O_NONBLOCK));
  CHECK_EQ(write(ends[1], "keep", 4), 4);
  uintptr_t edge = (uintptr_t)EdgeBuffer(0);
  for (int i = 0; i <= kHostileCount; i++) {
    uintptr_t bad = i < kHostileCount ? kHostile[i] : edge;
    CHECK_OK(lseek(fd, 0, SEEK_SET));
    Reads(bad);
    Writes(bad);
    Paths(bad);
  }
  char text[16];
  CHECK_EQ(read(ends[0], text, 16), 4);  // nothing was lost
  CHECK_MEM(text, "keep", 4);
  CHECK_EQ(pread(fd, text, 16, 0), 16);
  CHECK_MEM(text, "0123456789abcdef", 16);
  CHECK_ERR(access("x", F_OK), ENOENT);
  // Sizes that run over the end of the address space.
  CHECK_ERR(syscall(SYS_read, fd, UINTPTR_MAX - 4, 100), EFAULT);
  CHECK(syscall(SYS_write, fd, text, SIZE_MAX) == -1 && (errno == EINVAL || errno == EFAULT));
  return 0;
}
