// chroot(2): absolute paths and .. at the new root, the old working directory, who may.
#include "check.h"

int main(void) {
  TempDir();
  if (!IsRoot()) {
    CHECK_ERR(chroot("."), EPERM);
    return 0;
  }
  CHECK_ERR(chroot("missing"), ENOENT);
  WriteFile("outside", "x");
  CHECK_ERR(chroot("outside"), ENOTDIR);
  CHECK_OK(mkdir("root", 0755));
  CHECK_OK(mkdir("root/sub", 0755));
  WriteFile("root/f", "in");
  CHECK_OK(symlink("/f", "root/sub/l"));
  CHECK_OK(symlink("/../../f", "root/sub/up"));
  IN_CHILD({
    struct stat root, up;
    CHECK_OK(chdir("root/sub"));
    CHECK_OK(chroot(".."));
    CHECK_OK(access("/f", F_OK));
    CHECK_OK(access("/../f", F_OK));
    CHECK_OK(access("/sub/l", F_OK));
    CHECK_OK(access("up", F_OK));
    CHECK_OK(access("../../../f", F_OK));
    CHECK_ERR(access("/outside", F_OK), ENOENT);
    CHECK_OK(stat("/", &root));
    CHECK_OK(stat("/..", &up));
    CHECK_EQ(root.st_ino, up.st_ino);
    char path[PATH_MAX];
    CHECK_OK(syscall(SYS_getcwd, path, sizeof path));
    CHECK_STR(path, "/sub");
  });
  // A working directory outside of the new root stays usable and is told as unreachable.
  IN_CHILD({
    CHECK_OK(chroot("root"));
    CHECK_OK(access("outside", F_OK));
    CHECK_OK(access("/f", F_OK));
    char path[PATH_MAX];
    CHECK_OK(syscall(SYS_getcwd, path, sizeof path));
    CHECK_MEM(path, "(unreachable)", 13);
  });
  IN_CHILD(BecomeNobody(); CHECK_ERR(chroot("root"), EPERM));
  CHECK_OK(access("/proc", F_OK));
  return 0;
}
