// pipe(2): order, blocking reads, end of file, shared ends, numbers and flags of the ends.
#include <sys/ioctl.h>

#include "check.h"

int main(void) {
  int ends[2];
  CHECK_OK(pipe(ends));
  CHECK(ends[0] < ends[1]);
  CHECK_EQ(write(ends[1], "abc", 3), 3);
  CHECK_EQ(write(ends[1], "def", 3), 3);
  char text[16] = {0};
  CHECK_EQ(read(ends[0], text, 4), 4);
  CHECK_STR(text, "abcd");
  int ready;
  CHECK_OK(ioctl(ends[0], FIONREAD, &ready));
  CHECK_EQ(ready, 2);
  CHECK_EQ(read(ends[0], text, sizeof text), 2);
  CHECK_ERR(read(ends[1], text, 1), EBADF);
  CHECK_ERR(write(ends[0], text, 1), EBADF);
  CHECK_EQ(write(ends[1], "", 0), 0);  // nothing: not an end of file

  // A reader waits for a byte, and for the last writer to go.
  pid_t pid = Fork();
  if (pid == 0) {
    close(ends[1]);
    CHECK_EQ(read(ends[0], text, sizeof text), 1);
    CHECK_EQ(read(ends[0], text, sizeof text), 0);
    CHECK_EQ(read(ends[0], text, sizeof text), 0);
    _exit(0);
  }
  LetBlock(pid);
  CHECK_EQ(write(ends[1], "x", 1), 1);
  LetBlock(pid);
  close(ends[1]);
  WAIT_EXIT(pid, 0);
  close(ends[0]);

  // A writer waits for room; the sum of what is read is what was written.
  CHECK_OK(pipe(ends));
  enum { kTotal = 1 << 20 };
  pid = Fork();
  if (pid == 0) {
    close(ends[0]);
    static unsigned char data[kTotal];
    for (int i = 0; i < kTotal; i++) data[i] = (unsigned char)(i % 251);
    CHECK_EQ(write(ends[1], data, kTotal), kTotal);
    _exit(0);
  }
  close(ends[1]);
  static unsigned char chunk[3001];
  long at = 0, n;
  while ((n = CHECK_OK(read(ends[0], chunk, sizeof chunk))) > 0) {
    for (long i = 0; i < n; i++) CHECK(chunk[i] == (at + i) % 251);
    at += n;
  }
  CHECK_EQ(at, kTotal);
  WAIT_EXIT(pid, 0);

  CHECK_ERR(pipe2(ends, 0x40000000), EINVAL);
  CHECK_ERR(syscall(SYS_pipe2, NULL, 0), EFAULT);
  int lowest = (int)CHECK_OK(dup(0));
  close(lowest);
  CHECK_ERR(syscall(SYS_pipe2, (void*)8, 0), EFAULT);
  CHECK_EQ(dup(0), lowest);  // the failure left nothing open
  return 0;
}
