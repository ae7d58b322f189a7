// chdir(2), fchdir(2): per process, through links, errors.
#include "check.h"

int main(void) {
  const char* home = TempDir();
  CHECK_OK(mkdir("d", 0755));
  WriteFile("d/f", "x");
  CHECK_OK(symlink("d", "l"));
  CHECK_OK(chdir("d"));
  CHECK_OK(access("f", F_OK));
  CHECK_OK(chdir(".."));
  CHECK_OK(chdir("l"));
  CHECK_OK(access("f", F_OK));
  CHECK_OK(access("../d", F_OK));  // .. is the real parent
  CHECK_OK(chdir(home));
  CHECK_ERR(chdir("d/f"), ENOTDIR);
  CHECK_ERR(chdir("missing"), ENOENT);
  CHECK_ERR(chdir(""), ENOENT);
  int fd = (int)CHECK_OK(open("d", O_RDONLY));
  int path = (int)CHECK_OK(open("d", O_PATH));
  int file = (int)CHECK_OK(open("d/f", O_RDONLY));
  CHECK_OK(fchdir(fd));
  CHECK_OK(access("f", F_OK));
  CHECK_OK(chdir(home));
  CHECK_OK(fchdir(path));
  CHECK_OK(access("f", F_OK));
  CHECK_OK(chdir(home));
  CHECK_ERR(fchdir(file), ENOTDIR);
  CHECK_ERR(fchdir(-1), EBADF);
  IN_CHILD(CHECK_OK(chdir("/")));
  CHECK_OK(access("d/f", F_OK));
  // The directory may be renamed below us.
  CHECK_OK(chdir("d"));
  CHECK_OK(rename("../d", "../e"));
  CHECK_OK(access("f", F_OK));
  CHECK_OK(access("../e/f", F_OK));
  return 0;
}
