// What chattr(1) sets: immutable and append-only files and directories.
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

#include "check.h"

enum { kOurs = FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL };

// A file system's own flags stay as they are.
static long SetFlags(const char* path, int flags) {
  int fd = (int)CHECK_OK(open(path, O_RDONLY)), all = 0;
  CHECK_OK(ioctl(fd, FS_IOC_GETFLAGS, &all));
  all = (all & ~kOurs) | flags;
  long result = ioctl(fd, FS_IOC_SETFLAGS, &all);
  int error = errno;
  close(fd);
  errno = error;
  return result;
}
static int Flags(const char* path) {
  int fd = (int)CHECK_OK(open(path, O_RDONLY)), flags = 0;
  CHECK_OK(ioctl(fd, FS_IOC_GETFLAGS, &flags));
  close(fd);
  return flags & kOurs;
}

static void CheckImmutable(void) {
  WriteFile("kept", "text");
  int writer = (int)CHECK_OK(open("kept", O_WRONLY));
  CHECK_OK(SetFlags("kept", FS_IMMUTABLE_FL));
  CHECK_EQ(Flags("kept"), FS_IMMUTABLE_FL);
  struct fsxattr attributes;
  int fd = (int)CHECK_OK(open("kept", O_RDONLY));
  CHECK_OK(ioctl(fd, FS_IOC_FSGETXATTR, &attributes));
  CHECK_EQ(attributes.fsx_xflags & FS_XFLAG_IMMUTABLE, FS_XFLAG_IMMUTABLE);
  close(fd);
  CHECK_ERR(open("kept", O_WRONLY), EPERM);
  CHECK_ERR(open("kept", O_RDWR | O_APPEND), EPERM);
  CHECK_ERR(access("kept", W_OK), EPERM);
  CHECK_ERR(truncate("kept", 0), EPERM);
  CHECK_ERR(fallocate(writer, 0, 0, 100), EPERM);
  CHECK_ERR(unlink("kept"), EPERM);
  CHECK_ERR(rename("kept", "other"), EPERM);
  CHECK_ERR(link("kept", "other"), EPERM);
  CHECK_ERR(chmod("kept", 0600), EPERM);
  CHECK_ERR(chown("kept", 0, 0), EPERM);
  CHECK_ERR(utimensat(AT_FDCWD, "kept", NULL, 0), EPERM);
  CHECK_ERR(setxattr("kept", "trusted.a", "b", 1, 0), EPERM);
  CHECK_OK(SetFlags("kept", 0));
  CHECK_EQ(write(writer, "more", 4), 4);
  close(writer);
  CHECK_OK(unlink("kept"));
}

static void CheckAppendOnly(void) {
  WriteFile("log", "text");
  int writer = (int)CHECK_OK(open("log", O_WRONLY | O_APPEND));
  CHECK_OK(SetFlags("log", FS_APPEND_FL));
  CHECK_ERR(open("log", O_WRONLY), EPERM);
  CHECK_ERR(open("log", O_WRONLY | O_APPEND | O_TRUNC), EPERM);
  int fd = (int)CHECK_OK(open("log", O_WRONLY | O_APPEND));
  CHECK_EQ(write(fd, "more", 4), 4);
  CHECK_ERR(fcntl(fd, F_SETFL, 0), EPERM);
  CHECK_ERR(ftruncate(writer, 0), EPERM);
  CHECK_ERR(truncate("log", 0), EPERM);
  CHECK_ERR(unlink("log"), EPERM);
  CHECK_ERR(link("log", "other"), EPERM);
  CHECK_ERR(chmod("log", 0600), EPERM);
  CHECK_OK(utimensat(AT_FDCWD, "log", NULL, 0));
  struct timespec times[2] = {{1, 0}, {1, 0}};
  CHECK_ERR(utimensat(AT_FDCWD, "log", times, 0), EPERM);
  close(fd);
  close(writer);
  CHECK_OK(SetFlags("log", 0));
  CHECK_OK(unlink("log"));
}

static void CheckDirectories(void) {
  CHECK_OK(mkdir("dir", 0755));
  WriteFile("dir/file", "text");
  CHECK_OK(SetFlags("dir", FS_APPEND_FL));
  WriteFile("dir/new", "text");
  CHECK_ERR(unlink("dir/file"), EPERM);
  CHECK_ERR(rename("dir/file", "file"), EPERM);
  CHECK_ERR(rmdir("dir"), EPERM);
  CHECK_OK(SetFlags("dir", FS_IMMUTABLE_FL));
  CHECK_ERR(open("dir/newer", O_WRONLY | O_CREAT, 0600), EPERM);
  CHECK_ERR(mkdir("dir/newer", 0700), EPERM);
  CHECK_ERR(symlink("a", "dir/newer"), EPERM);
  CHECK_ERR(unlink("dir/file"), EPERM);
  WriteFile("dir/file", "other text");  // the directory's names are kept, not the files
  CHECK_OK(SetFlags("dir", 0));
}

int main(void) {
  TempDir();
  WriteFile("file", "");
  int fd = (int)CHECK_OK(open("file", O_RDONLY)), flags = 0;
  if (ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0) SKIP("no flags in this file system");
  CHECK_OK(SetFlags("file", FS_NODUMP_FL));
  CHECK_EQ(Flags("file"), FS_NODUMP_FL);
  CHECK_ERR(ioctl(fd, FS_IOC_SETFLAGS, (void*)16), EFAULT);
  if (!IsRoot() || SetFlags("file", FS_IMMUTABLE_FL) != 0) return 0;
  CHECK_OK(SetFlags("file", 0));
  IN_CHILD(BecomeNobody(); CHECK_ERR(SetFlags("file", FS_IMMUTABLE_FL), EPERM);
           CHECK_ERR(SetFlags("file", FS_NODUMP_FL), EPERM));
  CheckImmutable();
  CheckAppendOnly();
  CheckDirectories();
  return 0;
}
