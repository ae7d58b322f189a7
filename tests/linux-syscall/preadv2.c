// preadv(2), pwritev(2) and the flags of preadv2(2).
#include <sys/uio.h>

#include "check.h"

int main(void) {
  TempDir();
  int fd = (int)CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
  struct iovec out[2] = {{"hello ", 6}, {"world", 5}};
  CHECK_EQ(pwritev(fd, out, 2, 3), 11);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
  char a[4], b[16];
  struct iovec in[2] = {{a, 4}, {b, 16}};
  CHECK_EQ(preadv(fd, in, 2, 3), 11);
  CHECK_MEM(a, "hell", 4);
  CHECK_MEM(b, "o world", 7);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
  CHECK_ERR(preadv(fd, in, 2, -1), EINVAL);
  CHECK_ERR(preadv(fd, in, -1, 0), EINVAL);

  // Offset -1: the file's own offset, which moves.
  CHECK_EQ(preadv2(fd, in, 1, -1, 0), 4);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4);
  CHECK_EQ(pwritev2(fd, out, 1, -1, 0), 6);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 10);
  CHECK_ERR(preadv2(fd, in, 1, -2, 0), EINVAL);

  CHECK_EQ(pwritev2(fd, out, 1, 0, RWF_SYNC), 6);
  CHECK_EQ(pwritev2(fd, out, 1, 0, RWF_APPEND), 6);  // the flag outranks the offset
  struct stat st;
  CHECK_OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 20);
  CHECK_ERR(preadv2(fd, in, 1, 0, 0x40000000), EOPNOTSUPP);

  // RWF_NOWAIT: data or EAGAIN, where it is supported at all.
  ssize_t n = preadv2(fd, in, 1, 0, RWF_NOWAIT);
  CHECK(n == 4 || errno == EAGAIN || errno == EOPNOTSUPP);
  int ends[2];
  CHECK_OK(pipe(ends));
  CHECK_ERR(preadv2(ends[0], in, 1, -1, RWF_NOWAIT), EAGAIN);
  CHECK_ERR(preadv(ends[0], in, 1, 0), ESPIPE);
  CHECK_EQ(pwritev2(ends[1], out, 2, -1, 0), 11);
  CHECK_EQ(preadv2(ends[0], in, 2, -1, 0), 11);
  return 0;
}
