// A process's memory as /proc shows it: pagemap, and maps by PROCMAP_QUERY (Linux 6.11).
#include <sys/ioctl.h>

#include "proc.h"

#define PRESENT (1ull << 63)
#define FILE_OR_SHARED (1ull << 61)

static uint64_t PageWord(int fd, const void* address) {
  uint64_t word = 0;
  CHECK_EQ(pread(fd, &word, 8, (off_t)((uintptr_t)address / PageSize() * 8)), 8);
  return word;
}

static void CheckPagemap(const char* path, char* memory, const char* shared) {
  const int fd = (int)CHECK_OK(open(path, O_RDONLY));
  CHECK_EQ(PageWord(fd, memory) & (PRESENT | FILE_OR_SHARED), PRESENT);
  CHECK_EQ(PageWord(fd, memory + 2 * PageSize()) & PRESENT, 0);
  CHECK_EQ(PageWord(fd, shared) & (PRESENT | FILE_OR_SHARED), PRESENT | FILE_OR_SHARED);
  uint64_t words[4];
  CHECK_EQ(pread(fd, words, 24, (off_t)((uintptr_t)memory / PageSize() * 8)), 24);
  CHECK(words[0] & PRESENT);
  CHECK_ERR(pread(fd, words, 7, 0), EINVAL);
  CHECK_ERR(pread(fd, words, 8, 4), EINVAL);
  CHECK_EQ(pread(fd, words, 8, (off_t)1 << 62), 0);
  close(fd);
}

struct query {  // struct procmap_query
  uint64_t size, query_flags, query_addr;
  uint64_t vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode;
  uint32_t dev_major, dev_minor, vma_name_size, build_id_size;
  uint64_t vma_name_addr, build_id_addr;
};
#define QUERY 0xc0686611u
enum { READABLE = 1, WRITABLE = 2, EXECUTABLE = 4, SHARED = 8, OR_NEXT = 16, FILE_BACKED = 32 };

static void CheckQuery(char* memory) {
  const int fd = (int)CHECK_OK(open("/proc/self/maps", O_RDONLY));
  char name[PATH_MAX];
  struct query query = {.size = sizeof query, .query_addr = (uintptr_t)memory + 1};
  if (ioctl(fd, QUERY, &query) == -1 && errno == ENOTTY) {
    close(fd);
    return;
  }
  CHECK_EQ(query.vma_start, (uintptr_t)memory);
  CHECK_EQ(query.vma_end, (uintptr_t)memory + 3 * PageSize());
  CHECK_EQ(query.vma_flags, READABLE | WRITABLE);
  CHECK_EQ(query.vma_page_size, PageSize());
  CHECK_EQ(query.inode, 0);

  // A file's mapping: where, which, by what name.
  const int file = (int)CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
  CHECK_OK(ftruncate(file, (off_t)(4 * PageSize())));
  char* map =
      CHECK_MAP(mmap(NULL, PageSize(), PROT_READ, MAP_SHARED, file, (off_t)(2 * PageSize())));
  struct stat status;
  CHECK_OK(fstat(file, &status));
  query = (struct query){.size = sizeof query,
                         .query_addr = (uintptr_t)map,
                         .vma_name_addr = (uintptr_t)name,
                         .vma_name_size = sizeof name};
  CHECK_OK(ioctl(fd, QUERY, &query));
  CHECK_EQ(query.vma_flags, READABLE | SHARED);
  CHECK_EQ(query.vma_offset, 2 * PageSize());
  CHECK_EQ(query.inode, status.st_ino);
  CHECK_EQ(query.vma_name_size, strlen(name) + 1);
  CHECK_STR(strrchr(name, '/'), "/f");
  query.vma_name_size = 3;
  CHECK_ERR(ioctl(fd, QUERY, &query), ENAMETOOLONG);

  // What is wanted of it; the next that is so.
  query = (struct query){.size = sizeof query, .query_addr = (uintptr_t)memory};
  query.query_flags = EXECUTABLE;
  CHECK_ERR(ioctl(fd, QUERY, &query), ENOENT);
  query.query_flags = FILE_BACKED;
  CHECK_ERR(ioctl(fd, QUERY, &query), ENOENT);
  query.query_addr = 1;
  query.query_flags = FILE_BACKED | OR_NEXT;
  CHECK_OK(ioctl(fd, QUERY, &query));
  query.query_flags = 0;
  CHECK_ERR(ioctl(fd, QUERY, &query), ENOENT);
  query.query_flags = OR_NEXT;
  CHECK_OK(ioctl(fd, QUERY, &query));
  CHECK(query.vma_start > 1);

  // Structures of other sizes.
  query.query_flags = 64;
  CHECK_ERR(ioctl(fd, QUERY, &query), EINVAL);
  query.query_flags = OR_NEXT;
  query.size = 16;
  CHECK_ERR(ioctl(fd, QUERY, &query), EINVAL);
  query.size = 24;
  CHECK_OK(ioctl(fd, QUERY, &query));
  query.size = PageSize() + 1;
  CHECK_ERR(ioctl(fd, QUERY, &query), E2BIG);
  struct {
    struct query query;
    uint64_t more;
  } larger = {{.size = sizeof larger, .query_addr = (uintptr_t)memory}, 0};
  CHECK_OK(ioctl(fd, QUERY, &larger));
  larger.more = 1;
  CHECK_ERR(ioctl(fd, QUERY, &larger), E2BIG);
  query = (struct query){.size = sizeof query, .query_addr = (uintptr_t)memory};
  query.vma_name_size = 8;
  CHECK_ERR(ioctl(fd, QUERY, &query), EINVAL);
  CHECK_ERR(ioctl(fd, QUERY, BAD_POINTER), EFAULT);
  CHECK_OK(munmap(map, PageSize()));
  close(fd);
}

int main(void) {
  TempDir();
  // Apart from other memory, so that it stays a mapping of its own.
  char* room = CHECK_MAP(
      mmap(NULL, 5 * PageSize(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  char* memory = room + PageSize();
  CHECK_OK(mprotect(memory, 3 * PageSize(), PROT_READ | PROT_WRITE));
  CHECK_OK(madvise(memory, 3 * PageSize(), MADV_NOHUGEPAGE) == 0 || errno == EINVAL ? 0 : -1);
  memory[0] = 1;
  char* shared =
      CHECK_MAP(mmap(NULL, PageSize(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  shared[0] = 1;
  CheckPagemap("/proc/self/pagemap", memory, shared);

  // Of another process, which has the same memory.
  int ready[2];
  CHECK_OK(pipe(ready));
  const pid_t child = (pid_t)CHECK_OK(fork());
  if (child == 0) {
    memory[0] = 2;
    shared[0] = 2;
    CHECK_EQ(write(ready[1], "x", 1), 1);
    for (;;) pause();
  }
  char byte;
  CHECK_EQ(read(ready[0], &byte, 1), 1);
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/pagemap", (int)child);
  CheckPagemap(path, memory, shared);
  CHECK_OK(kill(child, SIGKILL));
  CHECK_EQ(waitpid(child, NULL, 0), child);

  CheckQuery(memory);
  return 0;
}
