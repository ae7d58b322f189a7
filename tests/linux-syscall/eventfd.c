// eventfd(2): counting, semaphores, limits, sizes, readiness, waiting.
#include <poll.h>
#include <sys/eventfd.h>

#include "check.h"

static short Ready(int fd) {
  struct pollfd one = {fd, POLLIN | POLLOUT, 0};
  CHECK_OK(poll(&one, 1, 0));
  return one.revents;
}

// A value that does not fit sleeps, though a smaller one would fit (and goes first). Whether it
// used no processor meanwhile.
static bool Sleeps(int blocking) {
  uint64_t value = UINT64_MAX - 5, got;
  CHECK_EQ(write(blocking, &value, 8), 8);
  pid_t pid = Fork();
  if (pid == 0) {
    value = 10;
    CHECK_EQ(write(blocking, &value, 8), 8);
    struct timespec used;
    CHECK_OK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used));
    _exit(used.tv_sec == 0 && used.tv_nsec < 100000000 ? 0 : 2);
  }
  LetBlock(pid);
  value = 2;
  CHECK_EQ(write(blocking, &value, 8), 8);
  Nap(200);
  CHECK_EQ(read(blocking, &got, 8), 8);
  CHECK_EQ(got, UINT64_MAX - 3);
  int status = WAIT_STATUS(pid);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) % 2 == 0);
  CHECK_EQ(read(blocking, &got, 8), 8);
  CHECK_EQ(got, 10);
  return status == 0;
}

int main(void) {
  uint64_t value = 5, got;
  int fd = (int)CHECK_OK(eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC));
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(Ready(fd), POLLIN | POLLOUT);
  CHECK_EQ(write(fd, &value, 8), 8);
  CHECK_EQ(read(fd, &got, 8), 8);
  CHECK_EQ(got, 8);
  CHECK_ERR(read(fd, &got, 8), EAGAIN);
  CHECK_EQ(Ready(fd), POLLOUT);
  CHECK_ERR(read(fd, &got, 7), EINVAL);
  CHECK_ERR(write(fd, &value, 7), EINVAL);
  char large[16] = {1};
  CHECK_EQ(write(fd, large, 8), 8);
  CHECK_EQ(read(fd, large, 16), 8);
  value = UINT64_MAX;
  CHECK_ERR(write(fd, &value, 8), EINVAL);
  value = UINT64_MAX - 1;
  CHECK_EQ(write(fd, &value, 8), 8);
  CHECK_EQ(Ready(fd), POLLIN);
  value = 1;
  CHECK_ERR(write(fd, &value, 8), EAGAIN);
  value = 0;
  CHECK_EQ(write(fd, &value, 8), 8);
  CHECK_EQ(read(fd, &got, 8), 8);
  CHECK_EQ(got, UINT64_MAX - 1);

  int semaphore = (int)CHECK_OK(eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK));
  for (int i = 0; i < 2; i++) {
    CHECK_EQ(read(semaphore, &got, 8), 8);
    CHECK_EQ(got, 1);
  }
  CHECK_ERR(read(semaphore, &got, 8), EAGAIN);
  CHECK_ERR(eventfd(0, 0x40000000), EINVAL);

  // Blocking, both ways.
  int blocking = (int)CHECK_OK(eventfd(0, 0));
  pid_t pid = Fork();
  if (pid == 0) {
    CHECK_EQ(read(blocking, &got, 8), 8);
    CHECK_EQ(got, 9);
    value = UINT64_MAX - 1;
    CHECK_EQ(write(blocking, &value, 8), 8);
    value = 1;
    CHECK_EQ(write(blocking, &value, 8), 8);  // waits until the parent reads
    _exit(0);
  }
  LetBlock(pid);
  value = 9;
  CHECK_EQ(write(blocking, &value, 8), 8);
  CHECK(EVENTUALLY(Ready(blocking) == POLLIN));
  LetBlock(pid);
  CHECK_EQ(read(blocking, &got, 8), 8);
  CHECK_EQ(got, UINT64_MAX - 1);
  WAIT_EXIT(pid, 0);
  CHECK_EQ(read(blocking, &got, 8), 8);
  CHECK_EQ(got, 1);

  // One of a few times will do: an emulated processor is charged for its host.
  bool sleeps = false;
  for (int i = 0; i < 5 && !sleeps; i++) sleeps = Sleeps(blocking);
  CHECK(sleeps);
  return 0;
}
