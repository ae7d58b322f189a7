// msync(2), mincore(2): arguments and, where it is certain, results.
#include "check.h"

int main(void) {
  TempDir();
  size_t page = PageSize();
  int fd = (int)CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
  CHECK_OK(ftruncate(fd, (off_t)(4 * page)));
  char* p = CHECK_MAP(mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  p[0] = 'a';
  CHECK_OK(msync(p, 4 * page, MS_SYNC));
  CHECK_OK(msync(p, page, MS_ASYNC));
  CHECK_OK(msync(p, page, MS_SYNC | MS_INVALIDATE));
  CHECK_OK(msync(p, 0, MS_SYNC));
  char c;
  CHECK_EQ(pread(fd, &c, 1, 0), 1);
  CHECK_EQ(c, 'a');
  CHECK_ERR(msync(p + 1, page, MS_SYNC), EINVAL);

  // The file's times tell of what was stored, at the latest after msync; not of what was read.
  const struct timespec old[2] = {{1000, 0}, {1000, 0}};
  struct stat status;
  for (int flags = MS_ASYNC; flags <= MS_SYNC; flags += MS_SYNC - MS_ASYNC) {
    CHECK_OK(ftruncate(fd, 0));
    CHECK_OK(ftruncate(fd, (off_t)(4 * page)));
    CHECK_OK(futimens(fd, old));
    char* r = CHECK_MAP(mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0));
    CHECK_EQ(r[1], 0);
    CHECK_OK(msync(r, page, flags));
    CHECK_OK(munmap(r, page));
    CHECK_OK(fstat(fd, &status));
    CHECK_EQ(status.st_mtim.tv_sec, 1000);
    char* w = CHECK_MAP(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)page));
    w[0] = 'b';
    CHECK_OK(msync(w, page, flags));
    CHECK_OK(fstat(fd, &status));
    CHECK(status.st_mtim.tv_sec > 1000);
    CHECK(status.st_ctim.tv_sec >= status.st_mtim.tv_sec);
    CHECK_OK(munmap(w, page));
  }
  CHECK_ERR(msync(p, page, MS_SYNC | MS_ASYNC), EINVAL);
  CHECK_ERR(msync(p, page, 0x100), EINVAL);

  unsigned char in[8];
  char* q =
      CHECK_MAP(mmap(NULL, 8 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  q[0] = q[3 * page] = 1;
  CHECK_OK(mincore(q, 8 * page, in));
  CHECK(in[0] & 1);
  CHECK(in[3] & 1);
  CHECK_OK(mincore(q, 1, in));
  CHECK_ERR(mincore(q + 1, page, in), EINVAL);
  CHECK_ERR(mincore(q, page, (unsigned char*)8), EFAULT);
  CHECK_OK(munmap(q + 4 * page, page));
  CHECK_ERR(mincore(q, 8 * page, in), ENOMEM);
  CHECK_ERR(msync(q + 4 * page, page, MS_ASYNC), ENOMEM);
  CHECK_OK(mincore(q, 4 * page, in));
  return 0;
}
