// File mappings: what access they need, offsets, descriptors closed, kinds that cannot be mapped.
#include "check.h"

int main(void) {
  TempDir();
  size_t page = PageSize();
  int fd = (int)CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
  for (int i = 0; i < 4; i++) {
    char letter = (char)('a' + i);
    CHECK_EQ(pwrite(fd, &letter, 1, (off_t)((size_t)i * page)), 1);
  }
  CHECK_OK(ftruncate(fd, (off_t)(4 * page)));
  char* p = CHECK_MAP(mmap(NULL, 2 * page, PROT_READ, MAP_SHARED, fd, (off_t)(2 * page)));
  CHECK_EQ(p[0], 'c');
  CHECK_EQ(p[page], 'd');
  int reader = (int)CHECK_OK(open("f", O_RDONLY)), writer = (int)CHECK_OK(open("f", O_WRONLY));
  CHECK_OK(mmap(NULL, page, PROT_READ, MAP_SHARED, reader, 0));
  CHECK_OK(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, reader, 0));
  CHECK_ERR(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, reader, 0), EACCES);
  CHECK_ERR(mmap(NULL, page, PROT_READ, MAP_SHARED, writer, 0), EACCES);
  CHECK_ERR(mmap(NULL, page, PROT_READ, MAP_PRIVATE, writer, 0), EACCES);
  char* shared_reader = CHECK_MAP(mmap(NULL, page, PROT_READ, MAP_SHARED, reader, 0));
  CHECK_ERR(mprotect(shared_reader, page, PROT_READ | PROT_WRITE), EACCES);

  CHECK_ERR(syscall(SYS_mmap, NULL, page, PROT_READ, MAP_SHARED, fd, 100), EINVAL);
  CHECK_ERR(mmap(NULL, page, PROT_READ, MAP_SHARED, -1, 0), EBADF);
  CHECK_ERR(mmap(NULL, 0, PROT_READ, 0, -1, 0), EBADF);  // before the other arguments
  CHECK_ERR(mmap(NULL, 0, PROT_READ, MAP_SHARED, fd, 0), EINVAL);
  CHECK_ERR(mmap(NULL, page, PROT_READ, 0, fd, 0), EINVAL);
  int dir = (int)CHECK_OK(open(".", O_RDONLY));
  CHECK_ERR(mmap(NULL, page, PROT_READ, MAP_PRIVATE, dir, 0), ENODEV);
  int ends[2];
  CHECK_OK(pipe(ends));
  CHECK_ERR(mmap(NULL, page, PROT_READ, MAP_PRIVATE, ends[0], 0), ENODEV);

  // The mapping outlives descriptor and name.
  close(fd);
  close(reader);
  close(writer);
  CHECK_OK(unlink("f"));
  CHECK_EQ(p[0], 'c');
  char* same = CHECK_MAP(mremap(p, 2 * page, page, 0));
  CHECK_EQ(same[0], 'c');

  // /dev/zero is anonymous memory.
  int zero = (int)CHECK_OK(open("/dev/zero", O_RDWR));
  char* z = CHECK_MAP(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0));
  CHECK_EQ(z[9], 0);
  z[9] = 1;
  z = CHECK_MAP(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, zero, 0));
  IN_CHILD(z[0] = 5);
  CHECK_EQ(z[0], 5);
  return 0;
}
