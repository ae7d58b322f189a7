// F_NOTIFY: signals for what happens in a directory; F_CREATED_QUERY.
#include "proc.h"

static volatile sig_atomic_t count;
static siginfo_t last;
static void OnNotice(int number, siginfo_t* info, void* context) {
  (void)number;
  (void)context;
  last = *info;
  count++;
}

static int Make(const char* name) {
  return (int)CHECK_OK(open(name, O_RDWR | O_CREAT | O_EXCL, 0644));
}
#define EXPECT(action, wanted)          \
  do {                                  \
    count = 0;                          \
    action;                             \
    CHECK(EVENTUALLY(count >= wanted)); \
    Nap(2);                             \
    CHECK_EQ(count, wanted);            \
  } while (0)

static void CheckEvents(int fd) {
  char text[8];
  // Once, unless asked for more.
  CHECK_OK(fcntl(fd, F_NOTIFY, DN_CREATE));
  CHECK_EQ(fcntl(fd, F_GETOWN), getpid());
  int file = -1;
  EXPECT(file = Make("a"), 1);
  CHECK_EQ(last.si_signo, SIGIO);
  EXPECT(close(Make("b")), 0);
  CHECK_OK(fcntl(fd, F_SETSIG, SIGRTMIN + 4));
  CHECK_OK(fcntl(fd, F_NOTIFY, DN_CREATE | DN_MULTISHOT));
  EXPECT(close(Make("c")), 1);
  CHECK_EQ(last.si_signo, SIGRTMIN + 4);
  CHECK_EQ(last.si_fd, fd);
  CHECK_EQ(last.si_code, POLL_MSG);
  CHECK_EQ(last.si_band, 0x441);
  EXPECT(CHECK_OK(mkdir("d", 0755)), 1);
  EXPECT(CHECK_OK(link("a", "l")), 1);
  EXPECT(CHECK_OK(rename("d", "e")), 1);  // a new name, too
  EXPECT(CHECK_OK(unlink("b")), 0);
  // More is added to what was asked for.
  CHECK_OK(fcntl(fd, F_NOTIFY, DN_DELETE | DN_MULTISHOT));
  EXPECT(CHECK_OK(unlink("c")), 1);
  EXPECT(close(Make("c")), 1);
  EXPECT(CHECK_OK(rmdir("e")), 1);
  EXPECT(CHECK_OK(rename("c", "b")), 2);
  // Nothing is the end of it.
  CHECK_OK(fcntl(fd, F_NOTIFY, 0));
  EXPECT(CHECK_OK(unlink("b")), 0);

  CHECK_OK(fcntl(fd, F_NOTIFY, DN_RENAME | DN_MULTISHOT));
  EXPECT(CHECK_OK(rename("l", "m")), 1);
  CHECK_OK(mkdir("../other", 0755));
  EXPECT(CHECK_OK(rename("m", "../other/m")), 0);  // within the directory only
  EXPECT(CHECK_OK(rename("../other/m", "m")), 0);
  CHECK_OK(fcntl(fd, F_NOTIFY, DN_MULTISHOT));

  CHECK_OK(fcntl(fd, F_NOTIFY, DN_MODIFY | DN_MULTISHOT));
  EXPECT(CHECK_EQ(write(file, "hello", 5), 5), 1);
  EXPECT(CHECK_OK(ftruncate(file, 3)), 1);
  EXPECT(CHECK_EQ(pread(file, text, 3, 0), 3), 0);
  CHECK_OK(fcntl(fd, F_NOTIFY, 0));
  CHECK_OK(fcntl(fd, F_NOTIFY, DN_ACCESS | DN_MULTISHOT));
  EXPECT(CHECK_EQ(pread(file, text, 3, 0), 3), 1);
  EXPECT(CHECK_EQ(write(file, "hello", 5), 5), 0);
  CHECK_OK(fcntl(fd, F_NOTIFY, 0));
  CHECK_OK(fcntl(fd, F_NOTIFY, DN_ATTRIB | DN_MULTISHOT));
  EXPECT(CHECK_OK(chmod("a", 0600)), 1);
  EXPECT(CHECK_OK(fchmod(fd, 0700)), 1);  // the directory's own
  CHECK_OK(fcntl(fd, F_NOTIFY, 0));
  close(file);
}

int main(void) {
  HandleInfo(SIGIO, OnNotice, SA_RESTART);
  HandleInfo(SIGRTMIN + 4, OnNotice, SA_RESTART);
  TempDir();
  CHECK_OK(mkdir("watched", 0755));
  CHECK_OK(chdir("watched"));
  int fd = (int)CHECK_OK(open(".", O_RDONLY));
  CheckEvents(fd);

  // It ends with any descriptor of it that the process closes, not with another's.
  CHECK_OK(fcntl(fd, F_NOTIFY, DN_CREATE | DN_MULTISHOT));
  pid_t pid = Fork();
  if (pid == 0) {
    close(fd);
    _exit(0);
  }
  WAIT_EXIT(pid, 0);
  EXPECT(close(Make("x")), 1);
  close((int)CHECK_OK(dup(fd)));
  EXPECT(close(Make("y")), 0);
  // A child's that is gone.
  pid = Fork();
  if (pid == 0) {
    CHECK_OK(fcntl(fd, F_NOTIFY, DN_CREATE | DN_MULTISHOT));
    CHECK_OK(fcntl(fd, F_SETOWN, getppid()));
    _exit(0);
  }
  WAIT_EXIT(pid, 0);
  EXPECT(close(Make("z")), 0);

  int file = (int)CHECK_OK(open("x", O_RDONLY));
  CHECK_ERR(fcntl(file, F_NOTIFY, DN_CREATE), ENOTDIR);
  CHECK_OK(fcntl(file, F_NOTIFY, 0));
  CHECK_ERR(fcntl((int)CHECK_OK(open(".", O_PATH)), F_NOTIFY, DN_CREATE), EBADF);

  // Whether open(2) has made it; the kernel is asked whether it knows.
  enum { kCreatedQuery = 1028 };
  if (fcntl(file, kCreatedQuery) == -1 && errno == EINVAL) return 0;
  CHECK_EQ(fcntl(file, kCreatedQuery), 0);
  CHECK_EQ(fcntl((int)CHECK_OK(open("new", O_RDONLY | O_CREAT, 0644)), kCreatedQuery), 1);
  CHECK_EQ(fcntl((int)CHECK_OK(open("new", O_RDONLY | O_CREAT, 0644)), kCreatedQuery), 0);
  CHECK_EQ(fcntl((int)CHECK_OK(open("new", O_PATH)), kCreatedQuery), 0);
  int unnamed = open(".", O_TMPFILE | O_RDWR, 0600);
  if (unnamed >= 0) CHECK_EQ(fcntl(unnamed, kCreatedQuery), 0);
  return 0;
}
