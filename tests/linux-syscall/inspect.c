// process_vm_readv(2) of processes in every state, kcmp(2), process_madvise(2).
#include <linux/kcmp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>

#include "proc.h"

#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif
#ifndef MADV_COLD
#define MADV_COLD 20
#endif

static char area[1 << 20] __attribute__((aligned(4096)));

static ssize_t ReadFrom(pid_t pid, void* to, const void* from, size_t size) {
  struct iovec local = {to, size}, remote = {(void*)(uintptr_t)from, size};
  return process_vm_readv(pid, &local, 1, &remote, 1, 0);
}

static long Kcmp(pid_t a, pid_t b, int type, long x, long y) {
  return syscall(SYS_kcmp, a, b, type, x, y);
}

// Each reads the other, over and over.
static void ReadEachOther(pid_t other) {
  static char got[1 << 16];
  for (int i = 0; i < 200; i++) CHECK_EQ(ReadFrom(other, got, area, sizeof got), sizeof got);
}

int main(void) {
  char* big = malloc(sizeof area);
  memset(area, 'p', sizeof area);
  pid_t running = Fork();
  if (running == 0) {
    memset(area, 'r', sizeof area);
    for (;;) {
    }
  }
  pid_t asleep = Fork();
  if (asleep == 0) {
    memset(area, 's', sizeof area);
    for (;;) pause();
  }
  AWAIT_STATE(asleep, 'S');
  CHECK_EQ(ReadFrom(asleep, big, area, sizeof area), sizeof area);
  CHECK(big[0] == 's' && big[sizeof area - 1] == 's');
  AWAIT_STATE(asleep, 'S');
  CHECK(EVENTUALLY(ReadFrom(running, big, area, sizeof area) == sizeof area &&
                   big[sizeof area - 1] == 'r'));
  CHECK_OK(kill(running, SIGSTOP));
  AWAIT_STATE(running, 'T');
  CHECK_EQ(ReadFrom(running, big, area, 100), 100);
  AWAIT_STATE(running, 'T');  // it did not notice

  struct iovec range = {area, 4096};
  int fd = (int)syscall(SYS_pidfd_open, asleep, 0);
  CHECK(fd >= 0);
  if (IsRoot()) {
    long advised = syscall(SYS_process_madvise, fd, &range, 1, MADV_COLD, 0);
    CHECK(advised >= 0);
  }
  CHECK_ERR(syscall(SYS_process_madvise, fd, &range, 1, MADV_COLD, 1), EINVAL);
  CHECK_ERR(syscall(SYS_process_madvise, fd, &range, 1, 9999, 0), EINVAL);
  CHECK_ERR(syscall(SYS_process_madvise, 0, &range, 1, MADV_COLD, 0), EBADF);

  int copy = (int)CHECK_OK(dup(1));
  if (Kcmp(getpid(), getpid(), KCMP_FILE, 1, copy) == -1 && errno == ENOSYS) {
    fprintf(stderr, "no kcmp here\n");
  } else {
    CHECK_EQ(Kcmp(getpid(), getpid(), KCMP_FILE, 1, copy), 0);
    CHECK_EQ(Kcmp(getpid(), asleep, KCMP_FILE, 1, 1), 0);
    CHECK(Kcmp(getpid(), getpid(), KCMP_FILE, fd, copy) > 0);
    CHECK(Kcmp(getpid(), asleep, KCMP_VM, 0, 0) > 0);
    CHECK_EQ(Kcmp(asleep, asleep, KCMP_VM, 0, 0), 0);
    CHECK(Kcmp(getpid(), asleep, KCMP_FILES, 0, 0) > 0);
    CHECK_ERR(Kcmp(getpid(), asleep, KCMP_FILE, 1, 9999), EBADF);
    CHECK_ERR(Kcmp(getpid(), asleep, 99, 0, 0), EINVAL);
    // What neither has is the same.
    CHECK_EQ(Kcmp(getpid(), asleep, KCMP_SYSVSEM, 0, 0), 0);
    CHECK_EQ(Kcmp(getpid(), getpid(), KCMP_IO, 0, 0), 0);
    IN_CHILD({
      const int best_effort = 2 << 13 | 3;
      CHECK_OK(syscall(SYS_ioprio_set, 1, 0, best_effort));
      const pid_t inner = Fork();
      if (inner == 0)
        for (;;) pause();
      CHECK_EQ(syscall(SYS_ioprio_get, 1, inner), best_effort);
      CHECK(Kcmp(getpid(), inner, KCMP_IO, 0, 0) > 0);
      CHECK_OK(kill(inner, SIGKILL));
      WAIT_SIGNAL(inner, SIGKILL);
    });
    CHECK_ERR(Kcmp(getpid(), 0x3fffffff, KCMP_VM, 0, 0), ESRCH);
  }
  CHECK_OK(kill(running, SIGKILL));
  CHECK_OK(kill(asleep, SIGKILL));
  WAIT_SIGNAL(running, SIGKILL);
  WAIT_SIGNAL(asleep, SIGKILL);
  CHECK_ERR(ReadFrom(asleep, big, area, 100), ESRCH);

  int go[2], done[2];
  char c;
  CHECK_OK(pipe(go));
  CHECK_OK(pipe(done));
  CHECK(prctl(PR_SET_PTRACER, -1) == 0 || errno == EINVAL);
  pid_t parent = getpid(), child = Fork();
  if (child == 0) {
    CHECK_EQ(read(go[0], &c, 1), 1);
    ReadEachOther(parent);
    CHECK_EQ(write(done[1], "d", 1), 1);
    for (;;) pause();
  }
  CHECK_EQ(write(go[1], "g", 1), 1);
  ReadEachOther(child);
  CHECK_EQ(read(done[0], &c, 1), 1);
  CHECK_OK(kill(child, SIGKILL));
  WAIT_SIGNAL(child, SIGKILL);
  return 0;
}
