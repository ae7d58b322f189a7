// getdents64(2): every name once, small buffers, seeking back, offsets that stay good, types.
#include <dirent.h>

#include "check.h"

struct Entry {
  uint64_t inode;
  int64_t offset;
  unsigned short length;
  unsigned char type;
  char name[];
};

enum { kFiles = 500 };
static int seen[kFiles];
static int dots;
static char buffer[4096] __attribute__((aligned(8)));

static void Count(const struct Entry* entry) {
  int number;
  if (entry->name[0] == '.') {
    dots++;
    CHECK_EQ(entry->type, DT_DIR);
  } else if (sscanf(entry->name, "file-%d", &number) == 1) {
    CHECK(number >= 0 && number < kFiles);
    CHECK(entry->type == DT_REG || entry->type == DT_UNKNOWN);
    seen[number]++;
  }
}

// Reads on to the end with this much room; yields the number of names.
static int ReadAll(int fd, size_t room) {
  int names = 0;
  for (;;) {
    long n = CHECK_OK(syscall(SYS_getdents64, fd, buffer, room));
    if (n == 0) return names;
    for (long at = 0; at < n;) {
      struct Entry* entry = (struct Entry*)(buffer + at);
      CHECK_EQ(entry->length % 8, 0);
      CHECK(entry->length >= offsetof(struct Entry, name) + strlen(entry->name) + 1);
      CHECK(entry->inode != 0);
      Count(entry);
      names++;
      at += entry->length;
    }
  }
}

int main(void) {
  TempDir();
  CHECK_OK(mkdir("d", 0755));
  CHECK_OK(chdir("d"));
  char name[32];
  for (int i = 0; i < kFiles; i++) {
    snprintf(name, sizeof name, "file-%d", i);
    close((int)CHECK_OK(open(name, O_RDWR | O_CREAT, 0600)));
  }
  int fd = (int)CHECK_OK(open(".", O_RDONLY | O_DIRECTORY));
  CHECK_EQ(ReadAll(fd, sizeof buffer), kFiles + 2);
  CHECK_EQ(dots, 2);
  for (int i = 0; i < kFiles; i++) CHECK_EQ(seen[i], 1);
  CHECK_EQ(syscall(SYS_getdents64, fd, buffer, sizeof buffer), 0);
  CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
  CHECK_EQ(ReadAll(fd, 40), kFiles + 2);  // one or so at a time

  // Back to where one entry ended: the same one follows.
  CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
  CHECK(CHECK_OK(syscall(SYS_getdents64, fd, buffer, 1024)) > 64);
  struct Entry* first = (struct Entry*)buffer;
  struct Entry* second = (struct Entry*)(buffer + first->length);
  char wanted[256];
  strcpy(wanted, second->name);
  CHECK_EQ(lseek(fd, first->offset, SEEK_SET), first->offset);
  CHECK(CHECK_OK(syscall(SYS_getdents64, fd, buffer, 1024)) > 0);
  CHECK_STR(((struct Entry*)buffer)->name, wanted);

  CHECK_ERR(syscall(SYS_getdents64, fd, buffer, 8), EINVAL);  // no room for one entry
  CHECK_OK(lseek(fd, 0, SEEK_SET));
  CHECK_ERR(syscall(SYS_getdents64, fd, NULL, 1024), EFAULT);
  CHECK_ERR(syscall(SYS_getdents64, -1, buffer, 1024), EBADF);
  int file = (int)CHECK_OK(open("file-1", O_RDONLY));
  CHECK_ERR(syscall(SYS_getdents64, file, buffer, 1024), ENOTDIR);
  int path = (int)CHECK_OK(open(".", O_PATH));
  CHECK_ERR(syscall(SYS_getdents64, path, buffer, 1024), EBADF);
  return 0;
}
