// AT_EMPTY_PATH: calls on the descriptor itself, also for O_PATH and symlinks.
#include "check.h"

int main(void) {
  TempDir();
  WriteFile("f", "123");
  CHECK_OK(symlink("f", "link"));
  struct stat st;
  int fd = (int)CHECK_OK(open("f", O_RDONLY));
  CHECK_OK(fstatat(fd, "", &st, AT_EMPTY_PATH));
  CHECK_EQ(st.st_size, 3);
  CHECK_ERR(fstatat(fd, "", &st, 0), ENOENT);
  CHECK_ERR(fstatat(fd, "x", &st, AT_EMPTY_PATH), ENOTDIR);
  CHECK_OK(fstatat(AT_FDCWD, "", &st, AT_EMPTY_PATH));
  CHECK(S_ISDIR(st.st_mode));
  CHECK_ERR(fstatat(-1, "", &st, AT_EMPTY_PATH), EBADF);
  int link_fd = (int)CHECK_OK(open("link", O_PATH | O_NOFOLLOW));
  CHECK_OK(fstatat(link_fd, "", &st, AT_EMPTY_PATH));
  CHECK(S_ISLNK(st.st_mode));
  char target[8];
  CHECK_EQ(readlinkat(link_fd, "", target, sizeof target), 1);
  CHECK_EQ(target[0], 'f');
  CHECK_ERR(readlinkat(fd, "", target, sizeof target), ENOENT);
  CHECK_OK(fchownat(fd, "", geteuid(), getegid(), AT_EMPTY_PATH));
  CHECK_OK(fchownat(link_fd, "", geteuid(), getegid(), AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW));
  int path_fd = (int)CHECK_OK(open("f", O_PATH));
  CHECK_OK(fchownat(path_fd, "", geteuid(), getegid(), AT_EMPTY_PATH));
  CHECK_OK(fstat(path_fd, &st));
  int ends[2];
  CHECK_OK(pipe(ends));
  CHECK_OK(fstatat(ends[0], "", &st, AT_EMPTY_PATH));
  CHECK(S_ISFIFO(st.st_mode));
  if (IsRoot()) {
    CHECK_OK(linkat(path_fd, "", AT_FDCWD, "hard", AT_EMPTY_PATH));
    CHECK_OK(stat("hard", &st));
    CHECK_EQ(st.st_nlink, 2);
  }
  return 0;
}
