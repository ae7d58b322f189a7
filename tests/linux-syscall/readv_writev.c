// readv(2), writev(2): gathering, scattering, limits of the vector, faults in the middle.
#include <sys/uio.h>

#include "check.h"

int main(void) {
  TempDir();
  int fd = (int)CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
  struct iovec out[4] = {{"ab", 2}, {NULL, 0}, {"cde", 3}, {"f", 1}};
  CHECK_EQ(writev(fd, out, 4), 6);
  char a[3] = {0}, b[16] = {0};
  struct iovec in[3] = {{a, 2}, {b, 1}, {b + 1, 10}};
  CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
  CHECK_EQ(readv(fd, in, 3), 6);
  CHECK_STR(a, "ab");
  CHECK_STR(b, "cdef");
  CHECK_EQ(readv(fd, in, 3), 0);

  CHECK_EQ(writev(fd, out, 0), 0);
  CHECK_ERR(writev(fd, out, -1), EINVAL);
  CHECK_ERR(writev(fd, out, 1025), EINVAL);
  static struct iovec many[1024];
  for (int i = 0; i < 1024; i++) many[i] = (struct iovec){"z", 1};
  CHECK_OK(ftruncate(fd, 0));
  CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
  CHECK_EQ(writev(fd, many, 1024), 1024);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 1024);

  // A base beyond user space is an error even where nothing is to be moved.
  struct iovec beyond[2] = {{"x", 1}, {(void*)UINTPTR_MAX, 0}};
  CHECK_ERR(writev(fd, beyond, 2), EFAULT);
  CHECK_ERR(writev(fd, beyond + 1, 1), EFAULT);
  CHECK_ERR(readv(fd, beyond, 2), EFAULT);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 1024);

  // A length that is negative as ssize_t is an error before anything moves.
  struct iovec negative[2] = {{"x", 1}, {"y", (size_t)SSIZE_MAX + 1}};
  CHECK_ERR(writev(fd, negative, 2), EINVAL);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 1024);
  CHECK_ERR(syscall(SYS_writev, fd, NULL, 1), EFAULT);
  struct iovec* edge = (struct iovec*)EdgeBuffer(sizeof(struct iovec));
  *edge = (struct iovec){"x", 1};
  CHECK_EQ(writev(fd, edge, 1), 1);
  CHECK_ERR(writev(fd, edge, 2), EFAULT);

  // Reading stops at the fault.
  char* end = EdgeBuffer(3);
  struct iovec faulty[3] = {{b, 2}, {end, 10}, {b, 5}};
  CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
  CHECK_EQ(readv(fd, faulty, 3), 5);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5);
  faulty[0].iov_base = EdgeBuffer(0);
  CHECK_ERR(readv(fd, faulty, 3), EFAULT);

  CHECK_ERR(readv(-1, in, 1), EBADF);
  int ends[2];
  CHECK_OK(pipe(ends));
  CHECK_EQ(writev(ends[1], out, 4), 6);
  CHECK_EQ(readv(ends[0], in, 2), 3);
  CHECK_ERR(readv(ends[1], in, 2), EBADF);
  return 0;
}
