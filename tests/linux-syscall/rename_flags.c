// renameat2(2): RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT and wrong combinations.
#include "check.h"

static int Rename(const char* from, const char* to, unsigned flags) {
  return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

static ino_t Inode(const char* path) {
  struct stat st;
  CHECK_OK(lstat(path, &st));
  return st.st_ino;
}

int main(void) {
  TempDir();
  WriteFile("a", "A");
  WriteFile("b", "B");
  CHECK_OK(mkdir("d", 0755));
  CHECK_OK(mkdir("d/sub", 0755));
  CHECK_OK(symlink("nowhere", "l"));
  ino_t a = Inode("a"), b = Inode("b"), d = Inode("d"), l = Inode("l");

  CHECK_ERR(Rename("a", "b", RENAME_NOREPLACE), EEXIST);
  CHECK_ERR(Rename("a", "a", RENAME_NOREPLACE), EEXIST);
  CHECK_ERR(Rename("a", "l", RENAME_NOREPLACE), EEXIST);
  CHECK_ERR(Rename("missing", "b", RENAME_NOREPLACE), ENOENT);
  CHECK_OK(Rename("a", "c", RENAME_NOREPLACE));
  CHECK_EQ(Inode("c"), a);
  CHECK_OK(Rename("c", "a", 0));

  CHECK_OK(Rename("a", "b", RENAME_EXCHANGE));
  CHECK_EQ(Inode("a"), b);
  CHECK_EQ(Inode("b"), a);
  CHECK_OK(Rename("a", "d", RENAME_EXCHANGE));  // kinds may differ
  CHECK_EQ(Inode("a"), d);
  CHECK_EQ(Inode("d"), b);
  CHECK_OK(access("a/sub", F_OK));
  CHECK_OK(Rename("l", "a", RENAME_EXCHANGE));
  CHECK_EQ(Inode("l"), d);
  CHECK_EQ(Inode("a"), l);
  CHECK_ERR(Rename("b", "missing", RENAME_EXCHANGE), ENOENT);
  CHECK_ERR(Rename("l", "l/sub", RENAME_EXCHANGE), EINVAL);
  CHECK_ERR(Rename("l/sub", "l", RENAME_EXCHANGE), EINVAL);

  CHECK_ERR(Rename("b", "x", RENAME_EXCHANGE | RENAME_NOREPLACE), EINVAL);
  CHECK_ERR(Rename("b", "x", RENAME_EXCHANGE | RENAME_WHITEOUT), EINVAL);
  CHECK_ERR(Rename("b", "x", 1 << 10), EINVAL);
  // A whiteout is a device node with number 0, which anybody may make since Linux 5.8; not every
  // file system does.
  if (Rename("b", "x", RENAME_WHITEOUT) == 0) {
    struct stat st;
    CHECK_OK(stat("b", &st));
    CHECK(S_ISCHR(st.st_mode) && st.st_rdev == 0);
    CHECK_EQ(Inode("x"), a);
  } else {
    CHECK(errno == EINVAL || errno == EPERM);
  }
  return 0;
}
