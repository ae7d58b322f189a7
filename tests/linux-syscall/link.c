// link(2), linkat(2): counts, kinds, symlinks, errors.
#include "check.h"

int main(void) {
  TempDir();
  WriteFile("f", "data");
  struct stat st;
  CHECK_OK(link("f", "g"));
  CHECK_OK(stat("g", &st));
  CHECK_EQ(st.st_nlink, 2);
  WriteFile("g", "changed");
  CHECK_OK(stat("f", &st));
  CHECK_EQ(st.st_size, 7);
  CHECK_OK(unlink("f"));
  CHECK_OK(stat("g", &st));
  CHECK_EQ(st.st_nlink, 1);

  CHECK_ERR(link("g", "g"), EEXIST);
  CHECK_ERR(link("missing", "x"), ENOENT);
  CHECK_ERR(link("g", "missing/x"), ENOENT);
  CHECK_ERR(link("g", ""), ENOENT);
  CHECK_ERR(link("g/", "x"), ENOTDIR);
  CHECK_ERR(link("g", "x/"), ENOENT);
  CHECK_ERR(link("g", "g/x"), ENOTDIR);
  CHECK_OK(mkdir("d", 0755));
  CHECK_ERR(link("d", "x"), EPERM);
  CHECK_ERR(link("g", "d"), EEXIST);
  CHECK_ERR(link("g", "d/"), EEXIST);

  // link() takes the symlink itself; linkat() follows when told to.
  CHECK_OK(symlink("g", "l"));
  CHECK_OK(link("l", "l2"));
  CHECK_OK(lstat("l2", &st));
  CHECK(S_ISLNK(st.st_mode));
  CHECK_EQ(st.st_nlink, 2);
  CHECK_OK(linkat(AT_FDCWD, "l", AT_FDCWD, "h", AT_SYMLINK_FOLLOW));
  CHECK_OK(lstat("h", &st));
  CHECK(S_ISREG(st.st_mode));
  CHECK_EQ(st.st_nlink, 2);
  CHECK_ERR(linkat(AT_FDCWD, "g", AT_FDCWD, "x", 0x40000000), EINVAL);
  CHECK_OK(mkfifo("p", 0600));
  CHECK_OK(link("p", "p2"));

  // Another file system.
  if (access("/proc/self", F_OK) == 0) CHECK_ERR(link("/proc/version", "x"), EXDEV);
  // A file without a name gets none by its magic link once its last was removed.
  int fd = (int)CHECK_OK(open("g", O_RDONLY));
  CHECK_OK(unlink("g"));
  CHECK_OK(unlink("h"));
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  CHECK_ERR(linkat(AT_FDCWD, path, AT_FDCWD, "back", AT_SYMLINK_FOLLOW), ENOENT);
  fd = open(".", O_TMPFILE | O_RDWR, 0600);
  if (fd >= 0) {  // but O_TMPFILE's do
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    CHECK_OK(linkat(AT_FDCWD, path, AT_FDCWD, "back", AT_SYMLINK_FOLLOW));
    CHECK_OK(stat("back", &st));
    CHECK_EQ(st.st_nlink, 1);
  }
  return 0;
}
