// utimensat(2), futimens(3): UTIME_NOW, UTIME_OMIT, symlinks, ranges, permissions.
#include <sys/time.h>

#include "check.h"

static struct stat Stat(const char* path) {
  struct stat st;
  CHECK_OK(lstat(path, &st));
  return st;
}

int main(void) {
  TempDir();
  WriteFile("f", "x");
  CHECK_OK(symlink("f", "l"));
  struct timespec times[2] = {{1000000000, 123456789}, {2000000000, 999999999}};
  CHECK_OK(utimensat(AT_FDCWD, "f", times, 0));
  struct stat st = Stat("f");
  CHECK_EQ(st.st_atim.tv_sec, 1000000000);
  CHECK_EQ(st.st_atim.tv_nsec, 123456789);
  CHECK_EQ(st.st_mtim.tv_sec, 2000000000);
  CHECK_EQ(st.st_mtim.tv_nsec, 999999999);

  struct timespec omit_access[2] = {{0, UTIME_OMIT}, {5, 6}};
  CHECK_OK(utimensat(AT_FDCWD, "f", omit_access, 0));
  st = Stat("f");
  CHECK_EQ(st.st_atim.tv_sec, 1000000000);
  CHECK_EQ(st.st_mtim.tv_sec, 5);
  CHECK_EQ(st.st_mtim.tv_nsec, 6);
  struct timespec now_access[2] = {{77, UTIME_NOW}, {77, UTIME_OMIT}};
  CHECK_OK(utimensat(AT_FDCWD, "f", now_access, 0));
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  st = Stat("f");
  CHECK(llabs((long long)st.st_atim.tv_sec - now.tv_sec) <= 30);
  CHECK_EQ(st.st_mtim.tv_sec, 5);
  CHECK_OK(utimensat(AT_FDCWD, "f", NULL, 0));
  st = Stat("f");
  CHECK(llabs((long long)st.st_mtim.tv_sec - now.tv_sec) <= 30);
  struct timespec omit_both[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
  CHECK_OK(utimensat(AT_FDCWD, "f", omit_both, 0));

  CHECK_OK(utimensat(AT_FDCWD, "l", times, AT_SYMLINK_NOFOLLOW));
  CHECK_EQ(Stat("l").st_mtim.tv_sec, 2000000000);
  CHECK(Stat("f").st_mtim.tv_sec != 2000000000);
  CHECK_OK(utimensat(AT_FDCWD, "l", times, 0));
  CHECK_EQ(Stat("f").st_mtim.tv_sec, 2000000000);
  int fd = (int)CHECK_OK(open("f", O_RDONLY));
  CHECK_OK(futimens(fd, omit_access));
  CHECK_EQ(Stat("f").st_mtim.tv_sec, 5);
  struct timeval old[2] = {{3, 4}, {5, 999999}};
  CHECK_OK(utimes("f", old));
  CHECK_EQ(Stat("f").st_mtim.tv_nsec, 999999000);
  struct timespec before_epoch[2] = {{-1, 0}, {-100, 5}};
  CHECK_OK(utimensat(AT_FDCWD, "f", before_epoch, 0));
  CHECK_EQ(Stat("f").st_mtim.tv_sec, -100);

  struct timespec bad[2] = {{0, 1000000000}, {0, 0}};
  CHECK_ERR(utimensat(AT_FDCWD, "f", bad, 0), EINVAL);
  bad[0].tv_nsec = -1;
  CHECK_ERR(utimensat(AT_FDCWD, "f", bad, 0), EINVAL);
  CHECK_ERR(utimensat(AT_FDCWD, "f", times, 0x40000000), EINVAL);
  CHECK_ERR(utimensat(AT_FDCWD, "missing", times, 0), ENOENT);
  CHECK_ERR(syscall(SYS_utimensat, -1, NULL, times, 0), EBADF);
  CHECK_ERR(syscall(SYS_utimensat, AT_FDCWD, "f", (void*)8, 0), EFAULT);

  // Others may set "now" when they may write; a time of their choice never.
  if (IsRoot()) {
    CHECK_OK(chmod("f", 0666));
    IN_CHILD({
      BecomeNobody();
      CHECK_OK(utimensat(AT_FDCWD, "f", NULL, 0));
      CHECK_ERR(utimensat(AT_FDCWD, "f", times, 0), EPERM);
      CHECK_ERR(utimensat(AT_FDCWD, "f", now_access, 0), EPERM);
    });
    CHECK_OK(chmod("f", 0644));
    IN_CHILD(BecomeNobody(); CHECK_ERR(utimensat(AT_FDCWD, "f", NULL, 0), EACCES));
  }
  return 0;
}
