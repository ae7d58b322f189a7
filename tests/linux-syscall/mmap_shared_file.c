// Shared file mappings and read/write see one file, across processes, at once.
#include "check.h"

int main(void) {
  TempDir();
  size_t page = PageSize();
  int fd = (int)CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
  CHECK_OK(ftruncate(fd, (off_t)(3 * page)));
  char* a = CHECK_MAP(mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  int other = (int)CHECK_OK(open("f", O_RDWR));
  char* b = CHECK_MAP(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, other, (off_t)page));
  char text[16];
  memcpy(a + page - 3, "across", 6);
  CHECK_EQ(pread(fd, text, 6, (off_t)page - 3), 6);
  CHECK_MEM(text, "across", 6);
  CHECK_MEM(b, "oss", 3);
  CHECK_EQ(pwrite(other, "written", 7, (off_t)page + 10), 7);
  CHECK_MEM(a + page + 10, "written", 7);
  CHECK_MEM(b + 10, "written", 7);

  // A child, and one that maps the file by itself.
  IN_CHILD({
    memcpy(b + 100, "child", 5);
    int own = (int)CHECK_OK(open("f", O_RDWR));
    char* c = CHECK_MAP(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, own, (off_t)page));
    CHECK_MEM(c + 10, "written", 7);
    memcpy(c + 200, "own map", 7);
  });
  CHECK_MEM(a + page + 100, "child", 5);
  CHECK_MEM(a + page + 200, "own map", 7);

  // The mapped page may be the buffer of a write to the same file.
  memcpy(a, "self", 4);
  CHECK_EQ(pwrite(fd, a, 4, (off_t)(2 * page)), 4);
  CHECK_MEM(a + 2 * page, "self", 4);
  CHECK_EQ(pread(fd, a + 8, 4, 0), 4);
  CHECK_MEM(a + 8, "self", 4);

  // After unmapping, the data are in the file.
  a[50] = 'K';
  CHECK_OK(munmap(a, 3 * page));
  CHECK_EQ(pread(fd, text, 1, 50), 1);
  CHECK_EQ(text[0], 'K');
  // Growing makes the new part visible in a mapping that already covers it.
  a = CHECK_MAP(mmap(NULL, 8 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  CHECK_OK(ftruncate(fd, (off_t)(8 * page)));
  a[7 * page] = 'g';
  CHECK_EQ(pread(fd, text, 1, (off_t)(7 * page)), 1);
  CHECK_EQ(text[0], 'g');
  struct stat st;
  CHECK_OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 8 * page);
  return 0;
}
