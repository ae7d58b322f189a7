// Nothing can be mounted upon what comes and goes with a process: the links in /proc/PID/fd.
#include <sched.h>
#include <sys/mount.h>

#include "check.h"

int main(void) {
  TempDir();
  if (unshare(CLONE_NEWNS) == 0) CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  int a = (int)CHECK_OK(open("a", O_RDWR | O_CREAT, 0644));
  close((int)CHECK_OK(open("b", O_RDWR | O_CREAT, 0644)));
  char path[64];
  // The file that the link leads to is a place.
  snprintf(path, sizeof path, "/proc/self/fd/%d", a);
  if (mount("b", path, NULL, MS_BIND, NULL) == -1 && errno == EPERM) SKIP("may not mount");
  CHECK_OK(umount("a"));
  // The link itself is none.
  int link = (int)CHECK_OK(open(path, O_PATH | O_NOFOLLOW));
  snprintf(path, sizeof path, "/proc/self/fd/%d", link);
  CHECK_ERR(mount("b", path, NULL, MS_BIND, NULL), ENOENT);
  CHECK_ERR(mount("t", path, "tmpfs", 0, NULL), ENOENT);
  return 0;
}
