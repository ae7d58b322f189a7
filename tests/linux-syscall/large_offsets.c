// Offsets beyond 4 GiB, and the largest ones.
#include "check.h"

int main(void) {
  TempDir();
  int fd = (int)CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
  off_t far = (off_t)5 << 30;
  CHECK_EQ(pwrite(fd, "far", 3, far), 3);
  struct stat st;
  CHECK_OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, far + 3);
  CHECK(st.st_blocks < 1000000);  // sparse
  char text[8] = {1, 1, 1};
  CHECK_EQ(pread(fd, text, 8, far), 3);
  CHECK_MEM(text, "far", 3);
  CHECK_EQ(pread(fd, text, 3, far - ((off_t)4 << 30)), 3);  // nothing where a cut offset would lie
  CHECK_MEM(text, "\0\0\0", 3);
  CHECK_EQ(lseek(fd, 0, SEEK_END), far + 3);
  size_t page = PageSize();
  char* map = CHECK_MAP(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, far));
  CHECK_MEM(map, "far", 3);
  map[3] = '!';
  CHECK_OK(ftruncate(fd, far + 4));
  CHECK_EQ(pread(fd, text, 8, far), 4);
  CHECK_OK(ftruncate(fd, 10));
  CHECK_OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 10);

  // At the end of what offsets can say.
  CHECK(pwrite(fd, "x", 1, INT64_MAX) == -1 && (errno == EFBIG || errno == EINVAL));
  CHECK(ftruncate(fd, INT64_MAX) == 0 || errno == EFBIG);
  CHECK_OK(ftruncate(fd, 10));
  CHECK_EQ(pread(fd, text, 1, INT64_MAX - 1), 0);
  return 0;
}
