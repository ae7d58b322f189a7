// access(2), faccessat(2), faccessat2(2): modes, real against effective ids, errors.
#include "check.h"

#ifndef SYS_faccessat2
#define SYS_faccessat2 439
#endif

static int Access2(const char* path, int mode, int flags) {
  return (int)syscall(SYS_faccessat2, AT_FDCWD, path, mode, flags);
}

int main(void) {
  TempDir();
  WriteFile("f", "x");
  CHECK_OK(chmod("f", 0400));
  CHECK_OK(access("f", F_OK));
  CHECK_OK(access("f", R_OK));
  CHECK_ERR(access("f", X_OK), EACCES);  // root too needs one x bit
  CHECK_ERR(access("f", R_OK | X_OK), EACCES);
  if (!IsRoot()) CHECK_ERR(access("f", W_OK), EACCES);
  if (IsRoot()) CHECK_OK(access("f", W_OK));
  CHECK_OK(chmod("f", 0500));
  CHECK_OK(access("f", R_OK | X_OK));
  CHECK_ERR(access("missing", F_OK), ENOENT);
  CHECK_ERR(access("f/x", F_OK), ENOTDIR);
  CHECK_ERR(access("", F_OK), ENOENT);
  CHECK_ERR(access("f", 8), EINVAL);
  CHECK_ERR(access("f", -1), EINVAL);

  CHECK_OK(Access2("f", X_OK, AT_EACCESS));
  CHECK_OK(Access2("f", X_OK, 0));
  CHECK_ERR(Access2("f", F_OK, 0x20000), EINVAL);
  CHECK_OK(symlink("nowhere", "dangling"));
  CHECK_ERR(Access2("dangling", F_OK, 0), ENOENT);
  CHECK_OK(Access2("dangling", F_OK, AT_SYMLINK_NOFOLLOW));
  int fd = (int)CHECK_OK(open("f", O_PATH));
  CHECK_OK(syscall(SYS_faccessat2, fd, "", X_OK, AT_EMPTY_PATH));
  CHECK_ERR(syscall(SYS_faccessat2, -1, "f", X_OK, 0), EBADF);

  // A set-user-ID program's question: may the one who started me?
  if (IsRoot()) {
    CHECK_OK(chmod("f", 0600));
    IN_CHILD({
      CHECK_OK(setresuid(65534, 0, 0));
      CHECK_ERR(access("f", R_OK), EACCES);
      CHECK_OK(Access2("f", R_OK, AT_EACCESS));
      close((int)CHECK_OK(open("f", O_RDONLY)));
    });
  }
  return 0;
}
