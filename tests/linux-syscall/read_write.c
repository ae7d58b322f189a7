// read(2) and write(2) on files: ends of files, zero lengths, holes, shared offsets, huge counts.
#include "check.h"

int main(void) {
  TempDir();
  int fd = (int)CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
  char buffer[64];
  CHECK_EQ(read(fd, buffer, sizeof buffer), 0);
  CHECK_EQ(write(fd, "0123456789", 10), 10);
  CHECK_EQ(read(fd, buffer, 1), 0);
  CHECK_OK(lseek(fd, 6, SEEK_SET));
  CHECK_EQ(read(fd, buffer, sizeof buffer), 4);
  CHECK_MEM(buffer, "6789", 4);
  CHECK_EQ(read(fd, buffer, sizeof buffer), 0);
  CHECK_EQ(read(fd, NULL, 0), 0);
  CHECK_EQ(write(fd, NULL, 0), 0);

  // A hole reads as zeroes.
  CHECK_EQ(lseek(fd, 100000, SEEK_SET), 100000);
  CHECK_EQ(read(fd, buffer, 1), 0);
  CHECK_EQ(write(fd, "end", 3), 3);
  memset(buffer, 1, sizeof buffer);
  CHECK_EQ(lseek(fd, 100000 - 61, SEEK_SET), 100000 - 61);
  CHECK_EQ(read(fd, buffer, sizeof buffer), 64);
  for (int i = 0; i < 61; i++) CHECK_EQ(buffer[i], 0);
  CHECK_MEM(buffer + 61, "end", 3);
  struct stat st;
  CHECK_OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 100003);

  // More than a page, across page borders, and back.
  size_t size = 300000;
  unsigned char* big = malloc(size);
  unsigned char* back = calloc(1, size);
  for (size_t i = 0; i < size; i++) big[i] = (unsigned char)(i * 2654435761u >> 11);
  CHECK_EQ(lseek(fd, 4001, SEEK_SET), 4001);
  CHECK_EQ(write(fd, big, size), size);
  CHECK_EQ(lseek(fd, 4001, SEEK_SET), 4001);
  CHECK_EQ(read(fd, back, size), size);
  CHECK_MEM(back, big, size);

  // Two descriptions of one file see each other's writes at once.
  int other = (int)CHECK_OK(open("f", O_RDONLY));
  CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
  CHECK_EQ(write(fd, "XY", 2), 2);
  CHECK_EQ(read(other, buffer, 3), 3);
  CHECK_MEM(buffer, "XY2", 3);

  // Counts are cut to 0x7ffff000 bytes; here the file's end comes first.
  CHECK_EQ(lseek(fd, -5, SEEK_END), 304001 - 5);
  char* edge =
      CHECK_MAP(mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  CHECK_EQ(read(fd, edge, 1 << 16), 5);

  CHECK_ERR(read(-1, buffer, 1), EBADF);
  CHECK_ERR(write(-1, buffer, 1), EBADF);
  CHECK_ERR(read(-1, NULL, 0), EBADF);
  int null = (int)CHECK_OK(open("/dev/null", O_RDWR));
  CHECK_EQ(write(null, big, size), size);
  CHECK_EQ(read(null, buffer, 5), 0);
  int zero = (int)CHECK_OK(open("/dev/zero", O_RDWR));
  CHECK_EQ(read(zero, big, size), size);
  for (size_t i = 0; i < size; i++) CHECK(big[i] == 0);
  int full = (int)CHECK_OK(open("/dev/full", O_RDWR));
  CHECK_ERR(write(full, "x", 1), ENOSPC);
  CHECK_EQ(read(full, buffer, 5), 5);
  free(big);
  free(back);
  return 0;
}
