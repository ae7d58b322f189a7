// remap_file_pages(2): other pages of the file behind a shared mapping.
#include <sys/shm.h>

#include "check.h"

static size_t page;

static long Remap(void* address, size_t size, size_t first) {
  return syscall(SYS_remap_file_pages, address, size, 0UL, first, 0UL);
}

int main(void) {
  TempDir();
  page = PageSize();
  int fd = (int)CHECK_OK(open("file", O_RDWR | O_CREAT, 0600));
  CHECK_OK(ftruncate(fd, 4 * (off_t)page));
  char* map = CHECK_MAP(mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  for (size_t i = 0; i < 4; i++) map[i * page] = (char)('0' + i);
  if (Remap(map, page, 3) == -1 && errno == ENOSYS) SKIP("no remap_file_pages");
  // The other way round, page by page.
  for (size_t i = 0; i < 4; i++) CHECK_OK(Remap(map + i * page, page, 3 - i));
  for (size_t i = 0; i < 4; i++) CHECK_EQ(map[i * page], '3' - (int)i);
  map[0] = 'x';
  char byte;
  CHECK_EQ(pread(fd, &byte, 1, 3 * (off_t)page), 1);
  CHECK_EQ(byte, 'x');
  CHECK_OK(Remap(map, 4 * page, 0));
  CHECK_EQ(map[3 * page], 'x');

  CHECK_ERR(syscall(SYS_remap_file_pages, map, page, 1UL, 0UL, 0UL), EINVAL);
  CHECK_ERR(Remap(map, 0, 0), EINVAL);
  CHECK_ERR(Remap(map, page, SIZE_MAX), EINVAL);
  CHECK_ERR(Remap(map + 4 * page - page, 3 * page, 0), EINVAL);  // more than is mapped
  char* own = CHECK_MAP(mmap(NULL, page, PROT_READ, MAP_PRIVATE, fd, 0));
  CHECK_ERR(Remap(own, page, 1), EINVAL);
  CHECK_OK(munmap(own, page));
  CHECK_ERR(Remap(own, page, 1), EINVAL);

  char* shared =
      CHECK_MAP(mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  shared[page] = 'b';
  CHECK_OK(Remap(shared, page, 1));
  CHECK_EQ(shared[0], 'b');

  // A segment that is to be removed goes with what is unmapped first.
  int id = (int)CHECK_OK(shmget(IPC_PRIVATE, 2 * page, IPC_CREAT | 0600));
  char* segment = CHECK_MAP(shmat(id, NULL, 0));
  CHECK_OK(Remap(segment, 2 * page, 0));
  CHECK_OK(shmctl(id, IPC_RMID, NULL));
  CHECK_OK(Remap(segment, page, 1));  // the other page keeps it
  CHECK_OK(munmap(segment, page));
  CHECK_ERR(Remap(segment + page, page, 0), EINVAL);
  CHECK_ERR(munmap(segment + page, page) == 0 ? Remap(segment + page, page, 0) : 0, EINVAL);
  CHECK_ERR(shmctl(id, IPC_STAT, &(struct shmid_ds){0}), EINVAL);
  return 0;
}
