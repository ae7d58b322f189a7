// Reading a directory while it changes: names that stay are told exactly once, removal on the way
// is safe.
#include <dirent.h>

#include "check.h"

enum { kFiles = 400 };

static void Fill(void) {
  char name[32];
  for (int i = 0; i < kFiles; i++) {
    snprintf(name, sizeof name, "f%d", i);
    close((int)CHECK_OK(open(name, O_RDWR | O_CREAT, 0600)));
  }
}

int main(void) {
  TempDir();
  CHECK_OK(mkdir("d", 0755));
  CHECK_OK(chdir("d"));
  Fill();

  // As `rm -r` does: remove each name when it is seen.
  DIR* dir = opendir(".");
  CHECK(dir);
  struct dirent* entry;
  int removed = 0;
  while ((entry = readdir(dir))) {
    if (entry->d_name[0] == '.') continue;
    CHECK_OK(unlink(entry->d_name));
    removed++;
  }
  CHECK_EQ(removed, kFiles);
  rewinddir(dir);
  int left = 0;
  while ((entry = readdir(dir))) left++;
  CHECK_EQ(left, 2);
  closedir(dir);

  // Every second one goes after the first batch was read: those that stay come once each.
  Fill();
  int fd = (int)CHECK_OK(open(".", O_RDONLY));
  static char buffer[1024] __attribute__((aligned(8)));
  static int seen[kFiles];
  bool first = true;
  long n;
  while ((n = CHECK_OK(syscall(SYS_getdents64, fd, buffer, sizeof buffer))) > 0) {
    for (long at = 0; at < n; at += *(unsigned short*)(buffer + at + 16)) {
      const char* name = buffer + at + 19;
      if (name[0] == 'f') seen[atoi(name + 1)]++;
    }
    if (!first) continue;
    first = false;
    char name[32];
    for (int i = 1; i < kFiles; i += 2) {
      snprintf(name, sizeof name, "f%d", i);
      CHECK_OK(unlink(name));
    }
    for (int i = 0; i < 50; i++) {  // new ones may or may not be told
      snprintf(name, sizeof name, "new%d", i);
      close((int)CHECK_OK(open(name, O_RDWR | O_CREAT, 0600)));
    }
  }
  for (int i = 0; i < kFiles; i++) {
    if (i % 2 == 0) CHECK_EQ(seen[i], 1);
    CHECK(seen[i] <= 1);
  }

  // A removed directory has nothing to tell.
  CHECK_OK(chdir(".."));
  CHECK_OK(mkdir("gone", 0755));
  int gone = (int)CHECK_OK(open("gone", O_RDONLY));
  CHECK_OK(rmdir("gone"));
  CHECK_ERR(syscall(SYS_getdents64, gone, buffer, sizeof buffer), ENOENT);
  return 0;
}
