// A mapping of a terabyte of a sparse file costs what is used of it.
#include "check.h"

int main(void) {
  const off_t size = (off_t)1 << 40;
  CHECK_OK(chdir(TempDir()));
  const int fd = (int)CHECK_OK(open("vast", O_RDWR | O_CREAT, 0600));
  if (ftruncate(fd, size) == -1) SKIP("no file can be so large here");
  const size_t page = PageSize();
  char* shared = CHECK_MAP(mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  char* copy = CHECK_MAP(
      mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0));
  enum { kPlaces = 64 };
  const off_t step = size / kPlaces;
  for (int i = 0; i < kPlaces; i++) {
    const off_t at = i * step + (off_t)page * i;
    CHECK_EQ(copy[at], 0);
    shared[at] = (char)(i + 1);
    CHECK_EQ(copy[at], i + 1);
    copy[at + 1] = (char)-i;
    char bytes[2];
    CHECK_EQ(pread(fd, bytes, 2, at), 2);
    CHECK_EQ(bytes[0], i + 1);
    CHECK_EQ(bytes[1], 0);
  }
  IN_CHILD({
    for (int i = 0; i < kPlaces; i++) {
      const off_t at = i * step + (off_t)page * i;
      CHECK_EQ(shared[at], i + 1);
      CHECK_EQ(copy[at + 1], (char)-i);
    }
    shared[size - 1] = 'e';
  });
  CHECK_EQ(copy[size - 1], 'e');
  // What was used moves, changes its rights and goes as ever.
  char* moved = CHECK_MAP(mremap(shared, (size_t)size, (size_t)size / 2, MREMAP_MAYMOVE));
  CHECK_EQ(moved[step + (off_t)page], 2);
  CHECK_OK(mprotect(copy, (size_t)size, PROT_READ));
  CHECK_EQ((signed char)copy[step + (off_t)page + 1], -1);
  CHECK_OK(ftruncate(fd, step));
  CHECK_OK(ftruncate(fd, size));
  CHECK_EQ(moved[step + (off_t)page], 0);
  CHECK_EQ(copy[2 * step + 2 * (off_t)page + 1], 0);
  struct stat status;
  CHECK_OK(fsync(fd));
  CHECK_OK(fstat(fd, &status));
  CHECK(status.st_blocks < (1 << 20) / 512 * 256);
  CHECK_OK(munmap(copy, (size_t)size));
  CHECK_OK(munmap(moved, (size_t)size / 2));
  return 0;
}
