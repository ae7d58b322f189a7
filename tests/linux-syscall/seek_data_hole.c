// lseek(2) with SEEK_DATA and SEEK_HOLE: a file system may see fewer holes, never wrong ones.
#include "check.h"

int main(void) {
  TempDir();
  int fd = (int)CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
  CHECK_ERR(lseek(fd, 0, SEEK_DATA), ENXIO);
  CHECK_ERR(lseek(fd, 0, SEEK_HOLE), ENXIO);
  off_t unit = 1 << 20;
  CHECK_EQ(pwrite(fd, "x", 1, 0), 1);
  CHECK_EQ(pwrite(fd, "x", 1, 4 * unit), 1);
  CHECK_OK(ftruncate(fd, 8 * unit));

  CHECK_EQ(lseek(fd, 0, SEEK_DATA), 0);
  CHECK_EQ(lseek(fd, 4 * unit, SEEK_DATA), 4 * unit);
  off_t hole = lseek(fd, 0, SEEK_HOLE);
  CHECK(hole >= 1);
  if (hole < 4 * unit) {
    off_t data = lseek(fd, hole, SEEK_DATA);
    CHECK(data > hole && data <= 4 * unit);
    CHECK_EQ(lseek(fd, 2 * unit, SEEK_HOLE), 2 * unit);
    hole = lseek(fd, 4 * unit, SEEK_HOLE);
    CHECK(hole > 4 * unit && hole < 8 * unit);
    CHECK_ERR(lseek(fd, hole, SEEK_DATA), ENXIO);
  } else {
    CHECK_EQ(hole, 8 * unit);  // no holes known: only the one at the end
  }
  CHECK_EQ(lseek(fd, 8 * unit - 1, SEEK_HOLE) <= 8 * unit, 1);
  CHECK_ERR(lseek(fd, 8 * unit, SEEK_DATA), ENXIO);
  CHECK_ERR(lseek(fd, 8 * unit, SEEK_HOLE), ENXIO);
  CHECK_ERR(lseek(fd, -1, SEEK_DATA), ENXIO);
  CHECK_ERR(lseek(fd, 9 * unit, SEEK_DATA), ENXIO);
  return 0;
}
