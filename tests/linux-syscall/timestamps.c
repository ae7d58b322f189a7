// Which calls move which of a file's times.
#include "check.h"

static struct stat before;

static void Mark(const char* path) {
  CHECK_OK(stat(path, &before));
  AwaitNextFileTime();
}

static bool Later(struct timespec a, struct timespec b) {
  return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

// Which of "m" and "c" have moved since Mark().
static const char* Moved(const char* path) {
  struct stat st;
  CHECK_OK(stat(path, &st));
  bool m = Later(st.st_mtim, before.st_mtim), c = Later(st.st_ctim, before.st_ctim);
  return m ? (c ? "mc" : "m") : (c ? "c" : "");
}

int main(void) {
  TempDir();
  CHECK_OK(mkdir("d", 0755));
  WriteFile("d/f", "x");
  int fd = (int)CHECK_OK(open("d/f", O_RDWR));
  char c;

  Mark("d/f");
  CHECK_EQ(write(fd, "y", 1), 1);
  CHECK_STR(Moved("d/f"), "mc");
  Mark("d/f");
  CHECK_EQ(pread(fd, &c, 1, 0), 1);
  CHECK_STR(Moved("d/f"), "");
  CHECK_EQ(write(fd, "", 0), 0);
  CHECK_STR(Moved("d/f"), "");
  CHECK_OK(fchmod(fd, 0600));
  CHECK_STR(Moved("d/f"), "c");
  Mark("d/f");
  CHECK_OK(ftruncate(fd, 5));
  CHECK_STR(Moved("d/f"), "mc");
  Mark("d/f");
  CHECK_OK(fchown(fd, geteuid(), getegid()));
  CHECK_STR(Moved("d/f"), "c");
  Mark("d/f");
  close((int)CHECK_OK(open("d/f", O_WRONLY | O_TRUNC)));
  CHECK_STR(Moved("d/f"), "mc");
  Mark("d/f");
  CHECK_OK(link("d/f", "g"));
  CHECK_STR(Moved("d/f"), "c");
  Mark("d/f");
  CHECK_OK(unlink("g"));
  CHECK_STR(Moved("d/f"), "c");

  Mark("d");
  WriteFile("d/new", "x");
  CHECK_STR(Moved("d"), "mc");
  Mark("d");
  WriteFile("d/new", "again");
  CHECK_OK(access("d/new", F_OK));
  CHECK_STR(Moved("d"), "");
  CHECK_OK(rename("d/new", "d/old"));
  CHECK_STR(Moved("d"), "mc");
  Mark("d");
  CHECK_OK(unlink("d/old"));
  CHECK_STR(Moved("d"), "mc");
  Mark("d");
  CHECK_OK(mkdir("d/s", 0755));
  CHECK_STR(Moved("d"), "mc");

  // A new file's times are the present.
  WriteFile("fresh", "");
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  CHECK_OK(stat("fresh", &before));
  CHECK(llabs((long long)now.tv_sec - before.st_mtim.tv_sec) <= 30);
  CHECK(llabs((long long)now.tv_sec - before.st_atim.tv_sec) <= 30);
  return 0;
}
