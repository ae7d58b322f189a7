// CLONE_FILES, CLONE_FS and CLONE_SIGHAND, each with and without.
#include "proc.h"

static char stack[64 * 1024] __attribute__((aligned(16)));
static volatile int fd;

static int Change(void* arg) {
  (void)arg;
  fd = open("/dev/null", O_RDONLY);
  if (fd < 0 || chdir("below") != 0) return 1;
  umask(0123);
  return signal(SIGUSR1, SIG_IGN) == SIG_ERR;
}

static void Run(int flags) {
  pid_t pid = (pid_t)CHECK_OK(clone(Change, stack + sizeof stack, flags | SIGCHLD, NULL));
  WAIT_EXIT(pid, 0);
}

static bool InBelow(void) {
  char path[PATH_MAX];
  CHECK(getcwd(path, sizeof path) != NULL);
  return strcmp(strrchr(path, '/'), "/below") == 0;
}

static bool Ignored(void) {
  struct sigaction action;
  CHECK_OK(sigaction(SIGUSR1, NULL, &action));
  return action.sa_handler == SIG_IGN;
}

int main(void) {
  const char* home = TempDir();
  CHECK_OK(mkdir("below", 0755));
  umask(022);

  Run(CLONE_VM);
  CHECK_ERR(fcntl(fd, F_GETFD), EBADF);
  CHECK(!InBelow());
  CHECK(!Ignored());
  CHECK_EQ(umask(022), 022);

  Run(CLONE_VM | CLONE_FILES);
  CHECK_EQ(fcntl(fd, F_GETFD), 0);
  close(fd);
  CHECK(!InBelow());

  Run(CLONE_VM | CLONE_FS);
  CHECK_ERR(fcntl(fd, F_GETFD), EBADF);
  CHECK(InBelow());
  CHECK_EQ(umask(022), 0123);
  CHECK_OK(chdir(home));

  Run(CLONE_VM | CLONE_SIGHAND);
  CHECK(Ignored());
  CHECK(signal(SIGUSR1, SIG_DFL) != SIG_ERR);

  // Descriptors and directory can be shared without memory; unshare(2) parts them again.
  IN_CHILD({
    pid_t pid = (pid_t)CHECK_OK(
        clone(Change, stack + sizeof stack, CLONE_FILES | CLONE_FS | SIGCHLD, NULL));
    WAIT_EXIT(pid, 0);
    CHECK(InBelow());
    CHECK_OK(chdir(home));
  });
  CHECK_OK(unshare(CLONE_FILES | CLONE_FS));
  CHECK_ERR(unshare(CLONE_PIDFD), EINVAL);
  return 0;
}
