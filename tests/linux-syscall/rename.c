// rename(2): replacing, same file, kinds, slashes, open files keep their file.
#include "check.h"

static char content[64];
static const char* Read(const char* path) {
  int fd = (int)CHECK_OK(open(path, O_RDONLY));
  ssize_t n = CHECK_OK(read(fd, content, sizeof content - 1));
  content[n] = 0;
  close(fd);
  return content;
}

int main(void) {
  TempDir();
  WriteFile("a", "A");
  WriteFile("b", "B");
  int b = (int)CHECK_OK(open("b", O_RDONLY));
  CHECK_OK(rename("a", "b"));
  CHECK_STR(Read("b"), "A");
  CHECK_ERR(access("a", F_OK), ENOENT);
  struct stat st;
  CHECK_OK(fstat(b, &st));
  CHECK_EQ(st.st_nlink, 0);
  char c;
  CHECK_EQ(read(b, &c, 1), 1);
  CHECK_EQ(c, 'B');

  CHECK_OK(rename("b", "b"));
  CHECK_STR(Read("b"), "A");
  CHECK_OK(link("b", "same"));
  CHECK_OK(rename("b", "same"));  // one file: nothing happens, both names stay
  CHECK_OK(access("b", F_OK));
  CHECK_OK(access("same", F_OK));

  CHECK_ERR(rename("missing", "x"), ENOENT);
  CHECK_ERR(rename("b", "missing/x"), ENOENT);
  CHECK_ERR(rename("", "x"), ENOENT);
  CHECK_ERR(rename("b", ""), ENOENT);
  CHECK_ERR(rename("b/", "x"), ENOTDIR);
  CHECK_ERR(rename("b", "x/"), ENOTDIR);
  CHECK_ERR(rename("b", "same/x"), ENOTDIR);
  CHECK_OK(mkdir("d", 0755));
  CHECK_ERR(rename("b", "d"), EISDIR);
  CHECK_ERR(rename("d", "b"), ENOTDIR);
  CHECK_ERR(rename("d", "."), EBUSY);
  CHECK_ERR(rename("d", ".."), EBUSY);
  CHECK_ERR(rename(".", "x"), EBUSY);
  CHECK_ERR(rename("d/.", "x"), EBUSY);
  CHECK_OK(rename("d/", "e/"));
  CHECK_OK(rename("b", "e/b"));
  CHECK_STR(Read("e/b"), "A");

  // Symlinks are renamed and replaced themselves.
  CHECK_OK(symlink("same", "l"));
  CHECK_OK(rename("l", "l2"));
  CHECK_OK(lstat("l2", &st));
  CHECK(S_ISLNK(st.st_mode));
  WriteFile("n", "N");
  CHECK_OK(rename("n", "l2"));
  CHECK_OK(lstat("l2", &st));
  CHECK(S_ISREG(st.st_mode));
  CHECK_STR(Read("same"), "A");
  CHECK_ERR(rename("same", "/proc/x"), EXDEV);
  return 0;
}
