// Calls that sandboxes may refuse but never get wrong: seccomp, ptrace, bpf, perf, keyrings,
// modules, io_uring.
#include <sys/ptrace.h>

#include "proc.h"

static void Refused(long result) {
  CHECK_EQ(result, -1);
  if (errno != ENOSYS && errno != EPERM && errno != EACCES && errno != EINVAL && errno != EFAULT &&
      errno != ENOENT && errno != ESRCH && errno != EIO && errno != ENOKEY && errno != EBUSY)
    FAIL("an odd error");
}

int main(void) {
  IN_CHILD({
    BecomeNobody();
    Refused(syscall(SYS_seccomp, 99, 0, NULL));
    Refused(syscall(SYS_seccomp, 1, 0, BAD_POINTER));
    Refused(syscall(SYS_ptrace, PTRACE_CONT, getppid(), 0, 0));
    if (getppid() != 1) Refused(syscall(SYS_ptrace, PTRACE_ATTACH, 1, 0, 0));
    Refused(syscall(SYS_bpf, 0, NULL, 0));
    Refused(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
    Refused(syscall(SYS_init_module, NULL, 0, NULL));
    Refused(syscall(SYS_delete_module, "none", 0));
    Refused(syscall(SYS_reboot, 0, 0, 0, NULL));
    Refused(syscall(SYS_swapon, "none", 0));
    Refused(syscall(SYS_mount, "none", "/", "tmpfs", 0, NULL));
    Refused(syscall(SYS_umount2, "/", 0));
    Refused(syscall(SYS_pivot_root, "/", "/"));
    Refused(syscall(SYS_chroot, "/"));
    Refused(syscall(SYS_acct, "/dev/null"));
    Refused(syscall(SYS_settimeofday, &(struct timeval){1, 0}, NULL));
    Refused(syscall(SYS_clock_settime, CLOCK_REALTIME, &(struct timespec){1, 0}));
    Refused(syscall(SYS_syslog, 9999, NULL, 0));
    Refused(syscall(SYS_request_key, NULL, NULL, NULL, 0));
    Refused(syscall(425 /* io_uring_setup */, 0, NULL));
    Refused(syscall(SYS_kexec_load, 0, 0, NULL, 0));
  });
  return 0;
}
