// Private file mappings: writes stay here; unwritten pages keep following the file.
#include "check.h"

int main(void) {
  TempDir();
  size_t page = PageSize();
  int fd = (int)CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
  CHECK_OK(ftruncate(fd, (off_t)(3 * page)));
  CHECK_EQ(pwrite(fd, "original", 8, 0), 8);
  char* p = CHECK_MAP(mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
  char* q = CHECK_MAP(mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
  p[0] = 'O';
  CHECK_MEM(p, "Original", 8);
  CHECK_MEM(q, "original", 8);
  char text[16];
  CHECK_EQ(pread(fd, text, 8, 0), 8);
  CHECK_MEM(text, "original", 8);
  // A copied page no longer follows the file.
  CHECK_EQ(pwrite(fd, "REPLACED", 8, 0), 8);
  CHECK_MEM(p, "Original", 8);
  // Over fork: everybody has his own.
  p[page] = 'p';
  IN_CHILD({
    CHECK_MEM(p, "Original", 8);
    CHECK_EQ(p[page], 'p');
    p[page] = 'c';
    p[1] = 'C';
    IN_CHILD(CHECK_EQ(p[page], 'c'); p[page] = 'g');
    CHECK_EQ(p[page], 'c');
  });
  CHECK_EQ(p[page], 'p');
  CHECK_MEM(p, "Original", 8);
  p[page] = 'P';
  CHECK_EQ(p[page], 'P');
  // The kernel writes into private pages like the program does.
  int zero = (int)CHECK_OK(open("/dev/zero", O_RDONLY));
  CHECK_EQ(read(zero, q, 4), 4);
  CHECK_MEM(q + 4, "ACED", 4);
  CHECK_EQ(pread(fd, text, 8, 0), 8);
  CHECK_MEM(text, "REPLACED", 8);
  // The last page's rest is zero and may be written.
  CHECK_OK(ftruncate(fd, 10));
  char* tail = CHECK_MAP(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
  for (size_t i = 10; i < page; i++) CHECK_EQ(tail[i], 0);
  tail[page - 1] = 1;
  return 0;
}
