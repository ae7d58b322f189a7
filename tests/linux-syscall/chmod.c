// chmod(2), fchmod(2), fchmodat(2): bits, who may, set-group-ID rules, links are followed.
#include "check.h"

static unsigned Mode(const char* path) {
  struct stat st;
  CHECK_OK(lstat(path, &st));
  return st.st_mode & 07777;
}

int main(void) {
  umask(022);
  TempDir();
  WriteFile("f", "x");
  CHECK_OK(chmod("f", 0));
  CHECK_EQ(Mode("f"), 0);
  CHECK_OK(chmod("f", 0751));
  CHECK_EQ(Mode("f"), 0751);
  CHECK_OK(chmod("f", 06755));
  CHECK_EQ(Mode("f"), 06755);
  CHECK_OK(chmod("f", 0170644));  // type bits are ignored
  CHECK_EQ(Mode("f"), 0644);
  int fd = (int)CHECK_OK(open("f", O_RDONLY));
  CHECK_OK(fchmod(fd, 0600));
  CHECK_EQ(Mode("f"), 0600);
  CHECK_OK(mkdir("d", 0777));
  CHECK_EQ(Mode("d"), 0755);
  CHECK_OK(chmod("d", 01777));
  CHECK_EQ(Mode("d"), 01777);
  int dir = (int)CHECK_OK(open("d", O_RDONLY));
  CHECK_OK(fchmod(dir, 0700));
  CHECK_OK(fchmodat(AT_FDCWD, "f", 0640, 0));
  CHECK_EQ(Mode("f"), 0640);
  CHECK_OK(symlink("f", "link"));
  CHECK_OK(chmod("link", 0604));
  CHECK_EQ(Mode("f"), 0604);
  CHECK_EQ(Mode("link"), 0777);

  struct stat before, after;
  CHECK_OK(stat("f", &before));
  AwaitNextFileTime();
  CHECK_OK(chmod("f", 0604));
  CHECK_OK(stat("f", &after));
  CHECK(after.st_ctim.tv_sec > before.st_ctim.tv_sec ||
        after.st_ctim.tv_nsec != before.st_ctim.tv_nsec);
  CHECK_EQ(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);

  CHECK_ERR(chmod("missing", 0600), ENOENT);
  CHECK_ERR(chmod("f/x", 0600), ENOTDIR);
  CHECK_ERR(fchmod(-1, 0600), EBADF);

  // Writing drops set-user-ID, and set-group-ID of executables, unless by root.
  if (!IsRoot()) {
    CHECK_OK(chmod("f", 06755));
    int writer = (int)CHECK_OK(open("f", O_WRONLY));
    CHECK_EQ(write(writer, "y", 1), 1);
    CHECK_EQ(Mode("f"), 0755);
    CHECK_OK(chmod("f", 06755));
    CHECK_OK(ftruncate(writer, 0));
    CHECK_EQ(Mode("f"), 0755);
    return 0;
  }
  // Set-group-ID is dropped when the file's group is not one of the caller's.
  CHECK_OK(chown("f", 65534, 12345));
  CHECK_OK(chmod(".", 0777));
  IN_CHILD({
    BecomeNobody();
    CHECK_OK(chmod("f", 02775));
    CHECK_EQ(Mode("f"), 0775);
    CHECK_ERR(chmod("d", 0777), EPERM);
    CHECK_ERR(fchmod(dir, 0777), EPERM);
  });
  return 0;
}
