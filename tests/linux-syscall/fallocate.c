// fallocate(2): allocate, KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE, and what is refused.
#include "check.h"

static void Expect(int fd, off_t at, char value, size_t size) {
  char buffer[512];
  while (size > 0) {
    size_t n = size < sizeof buffer ? size : sizeof buffer;
    CHECK_EQ(pread(fd, buffer, n, at), n);
    for (size_t i = 0; i < n; i++) CHECK_EQ(buffer[i], value);
    at += (off_t)n;
    size -= n;
  }
}

int main(void) {
  TempDir();
  int fd = (int)CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
  struct stat st;
  if (fallocate(fd, 0, 0, 10000) == -1 && errno == EOPNOTSUPP) SKIP("no fallocate here");
  CHECK_OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 10000);
  CHECK(st.st_blocks > 0);
  Expect(fd, 0, 0, 10000);
  CHECK_OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 10000, 50000));
  CHECK_OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 10000);
  CHECK_OK(fallocate(fd, 0, 5000, 15000));
  CHECK_OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 20000);

  char data[20000];
  memset(data, 'd', sizeof data);
  CHECK_EQ(pwrite(fd, data, sizeof data, 0), sizeof data);
  CHECK_OK(fallocate(fd, 0, 0, 20000));  // never harms data
  Expect(fd, 0, 'd', 20000);
  if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1000, 9000) == 0) {
    Expect(fd, 0, 'd', 1000);
    Expect(fd, 1000, 0, 9000);
    Expect(fd, 10000, 'd', 10000);
    CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 19000, 90000));
    CHECK_OK(fstat(fd, &st));
    CHECK_EQ(st.st_size, 20000);
    Expect(fd, 19000, 0, 1000);
  } else {
    CHECK_EQ(errno, EOPNOTSUPP);
  }
  CHECK_EQ(pwrite(fd, data, sizeof data, 0), sizeof data);
  if (fallocate(fd, FALLOC_FL_ZERO_RANGE, 15000, 10000) == 0) {
    CHECK_OK(fstat(fd, &st));
    CHECK_EQ(st.st_size, 25000);
    Expect(fd, 0, 'd', 15000);
    Expect(fd, 15000, 0, 10000);
  } else {
    CHECK_EQ(errno, EOPNOTSUPP);
  }

  CHECK_ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 100), EOPNOTSUPP);  // only with KEEP_SIZE
  CHECK_ERR(fallocate(fd, 0x40000000, 0, 100), EOPNOTSUPP);
  CHECK_ERR(fallocate(fd, 0, 0, 0), EINVAL);
  CHECK_ERR(fallocate(fd, 0, -1, 10), EINVAL);
  CHECK_ERR(fallocate(fd, 0, 10, -1), EINVAL);
  CHECK_ERR(fallocate(fd, 0, INT64_MAX - 10, 100), EFBIG);
  int reader = (int)CHECK_OK(open("f", O_RDONLY));
  CHECK_ERR(fallocate(reader, 0, 0, 10), EBADF);
  CHECK_ERR(fallocate(-1, 0, 0, 10), EBADF);
  int ends[2];
  CHECK_OK(pipe(ends));
  CHECK_ERR(fallocate(ends[1], 0, 0, 10), ESPIPE);
  int dir = (int)CHECK_OK(open(".", O_RDONLY));
  CHECK_ERR(fallocate(dir, 0, 0, 10), EBADF);
  CHECK_OK(posix_fallocate(fd, 0, 30000));
  return 0;
}
