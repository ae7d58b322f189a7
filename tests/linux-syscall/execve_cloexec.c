// execve(2) closes the descriptors marked so, and no others; the mark can come from every call that
// makes descriptors.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "proc.h"

static bool IsOpen(int fd) { return fcntl(fd, F_GETFD) != -1; }

int main(int argc, char** argv, char** envp) {
  if (argc == 4) {
    // Descriptors 10..29: even ones stay open, odd ones closed.
    for (int fd = 10; fd < 30; fd++) CHECK_EQ(IsOpen(fd), fd % 2 == 0);
    CHECK_EQ(lseek(10, 0, SEEK_CUR), 3);  // the same open file
    CHECK(!IsOpen(atoi(argv[1])));
    CHECK(!IsOpen(atoi(argv[2])));
    CHECK(!IsOpen(atoi(argv[3])));
    return 0;
  }
  TempDir();
  WriteFile("file", "0123456789");
  for (int fd = 10; fd < 30; fd += 2) {
    int opened = (int)CHECK_OK(open("file", O_RDONLY));
    if (opened != fd) CHECK_OK(dup3(opened, fd, 0));
    CHECK_OK(fcntl(fd, F_SETFD, 0));
    if (fd % 4 == 0)
      CHECK_EQ(dup3(fd, fd + 1, O_CLOEXEC), fd + 1);
    else
      CHECK_EQ(fcntl(fd, F_DUPFD_CLOEXEC, fd + 1), fd + 1);
    close(opened == fd ? -1 : opened);
  }
  CHECK_EQ(lseek(10, 3, SEEK_SET), 3);
  int pair[2];
  CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
  char numbers[3][12];
  snprintf(numbers[0], sizeof numbers[0], "%d", pair[1]);
  snprintf(numbers[1], sizeof numbers[1], "%d", (int)CHECK_OK(eventfd(0, EFD_CLOEXEC)));
  snprintf(numbers[2], sizeof numbers[2], "%d", (int)CHECK_OK(epoll_create1(EPOLL_CLOEXEC)));
  char* args[] = {argv[0], numbers[0], numbers[1], numbers[2], NULL};

  // A failed exec closes nothing.
  CHECK_ERR(execve("/does/not/exist", args, envp), ENOENT);
  CHECK(IsOpen(11));
  pid_t pid = Fork();
  if (pid == 0) {
    execve("/proc/self/exe", args, envp);
    _exit(99);
  }
  // Closing at exec is seen from outside: the pair's other end hangs up when parent and child have
  // closed it.
  close(pair[1]);
  char byte;
  CHECK_EQ(read(pair[0], &byte, 1), 0);
  WAIT_EXIT(pid, 0);
  CHECK(IsOpen(11));
  return 0;
}
