// mmap(2), madvise(2): what is refused.
#include "check.h"

int main(void) {
  const size_t page = PageSize();
  CHECK_OK(chdir(TempDir()));
  const int fd = (int)CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
  CHECK_OK(ftruncate(fd, (off_t)page));
  CHECK_ERR(mmap(NULL, page, PROT_READ, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0), EINVAL);
  CHECK_OK(mmap(NULL, page, PROT_READ, MAP_SHARED_VALIDATE, fd, 0));
  // The end must be an offset that a file can have.
  const off_t last = (off_t)(INT64_MAX & ~(uint64_t)(page - 1));
  CHECK_ERR(mmap(NULL, page, PROT_READ, MAP_PRIVATE, fd, last), EOVERFLOW);
  CHECK_ERR(mmap(NULL, 2 * page, PROT_READ, MAP_SHARED, fd, last - (off_t)page), EOVERFLOW);
  CHECK_ERR(mmap(NULL, page, PROT_READ, 0, fd, 0), EINVAL);
  CHECK_ERR(mmap(NULL, 0, PROT_READ, MAP_PRIVATE, fd, 0), EINVAL);
  char* p = CHECK_MAP(mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (access("/sys/kernel/mm/ksm", F_OK) == -1) {
    CHECK_ERR(madvise(p, page, MADV_MERGEABLE), EINVAL);
    CHECK_ERR(madvise(p, page, MADV_UNMERGEABLE), EINVAL);
  }
  return 0;
}
