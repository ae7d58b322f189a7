// Seals of memfd_create(2): F_ADD_SEALS, F_GET_SEALS and what each forbids.
#include "check.h"

static int Fresh(void) {
  int fd = (int)CHECK_OK(memfd_create("s", MFD_ALLOW_SEALING));
  CHECK_EQ(write(fd, "0123456789", 10), 10);
  return fd;
}

int main(void) {
  int fd = (int)CHECK_OK(memfd_create("s", 0));
  CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL);
  CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);

  fd = Fresh();
  CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);
  CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
  CHECK_ERR(ftruncate(fd, 5), EPERM);
  CHECK_OK(ftruncate(fd, 20));
  CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
  CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW);
  CHECK_ERR(ftruncate(fd, 30), EPERM);
  CHECK_EQ(pwrite(fd, "x", 1, 19), 1);
  CHECK_ERR(pwrite(fd, "x", 1, 5000), EPERM);
  CHECK_ERR(fallocate(fd, 0, 0, 9000), EPERM);

  fd = Fresh();
  char* map = CHECK_MAP(mmap(NULL, 10, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
  CHECK_OK(munmap(map, 10));
  CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  CHECK_ERR(pwrite(fd, "x", 1, 0), EPERM);
  CHECK_ERR(mmap(NULL, 10, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
  CHECK_ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 5), EPERM);
  map = CHECK_MAP(mmap(NULL, 10, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
  map[0] = 'p';
  CHECK_OK(munmap(map, 10));
  char c;
  CHECK_EQ(pread(fd, &c, 1, 0), 1);
  CHECK_EQ(c, '0');

  fd = Fresh();
  map = CHECK_MAP(mmap(NULL, 10, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
  map[0] = 'm';  // what was mapped stays writable
  CHECK_ERR(pwrite(fd, "x", 1, 0), EPERM);
  CHECK_ERR(mmap(NULL, 10, PROT_WRITE, MAP_SHARED, fd, 0), EPERM);

  fd = Fresh();
  CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
  CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM);
  CHECK_OK(ftruncate(fd, 99));
  CHECK_ERR(fcntl(Fresh(), F_ADD_SEALS, 0x4000), EINVAL);
  int null = (int)CHECK_OK(open("/dev/null", O_RDWR));
  CHECK_ERR(fcntl(null, F_GET_SEALS), EINVAL);
  CHECK_ERR(fcntl(null, F_ADD_SEALS, F_SEAL_GROW), EINVAL);

  // A write that would pass the end of a file that must not grow leaves out the last page.
  const size_t page = PageSize();
  char* text = CHECK_MAP(mmap(NULL, 4 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  fd = (int)CHECK_OK(memfd_create("s", MFD_ALLOW_SEALING));
  CHECK_OK(ftruncate(fd, 3 * (off_t)page + 100));
  CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
  CHECK_EQ(pwrite(fd, text, 4 * page, 0), 3 * page);
  CHECK_ERR(pwrite(fd, text, page, 3 * (off_t)page), EPERM);
  CHECK_EQ(pwrite(fd, text, 100, 3 * (off_t)page), 100);

  // A file of tmpfs with a name cannot be sealed.
  fd = open("/dev/shm/zrun-test-seals", O_RDWR | O_CREAT, 0600);
  if (fd >= 0) {
    unlink("/dev/shm/zrun-test-seals");
    CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL);
    CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM);
  }
  return 0;
}
