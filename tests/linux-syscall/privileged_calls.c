// What an ordinary user is refused: mounts, names of the host, time, modules, accounting and the
// like.
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/swap.h>
#include <sys/time.h>

#include "check.h"

int main(void) {
  TempDir();
  CHECK_OK(mkdir("m", 0755));
  bool was_root = IsRoot();
  pid_t pid = Fork();
  if (pid == 0) {
    BecomeNobody();
    CHECK_ERR(mount("none", "m", "tmpfs", 0, NULL), EPERM);
    CHECK_ERR(mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL), EPERM);
    CHECK_ERR(umount("/proc"), EPERM);
    CHECK_ERR(umount2("/", MNT_DETACH), EPERM);
    CHECK_ERR(chroot("m"), EPERM);
    CHECK_ERR(syscall(SYS_pivot_root, "m", "m"), EPERM);
    CHECK_ERR(sethostname("x", 1), EPERM);
    CHECK_ERR(syscall(SYS_setdomainname, "x", 1), EPERM);
    CHECK_ERR(reboot(RB_DISABLE_CAD), EPERM);
    CHECK_ERR(swapoff("m"), EPERM);
    struct timeval now = {1, 0};
    CHECK_ERR(settimeofday(&now, NULL), EPERM);
    struct timespec then = {1, 0};
    CHECK_ERR(clock_settime(CLOCK_REALTIME, &then), EPERM);
    CHECK(syscall(SYS_init_module, "", 0, "") == -1 && (errno == EPERM || errno == ENOSYS));
    CHECK(syscall(SYS_delete_module, "x", 0) == -1 && (errno == EPERM || errno == ENOSYS));
    CHECK_ERR(setuid(0), EPERM);
    CHECK_ERR(setgid(0), EPERM);
    gid_t group = 0;
    CHECK_ERR(setgroups(1, &group), EPERM);
    if (was_root) CHECK_ERR(kill(1, 0), EPERM);  // in a container, process 1 may be this program
    CHECK_ERR(vhangup(), EPERM);
    _exit(0);
  }
  WAIT_EXIT(pid, 0);
  return 0;
}
