// sendfile(2): to pipes, sockets and files, offsets, ends of files, refused kinds.
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "check.h"

int main(void) {
  TempDir();
  WriteFile("in", "0123456789abcdefghij");
  int in = (int)CHECK_OK(open("in", O_RDONLY));
  int out = (int)CHECK_OK(open("out", O_RDWR | O_CREAT, 0600));
  CHECK_EQ(sendfile(out, in, NULL, 4), 4);
  CHECK_EQ(lseek(in, 0, SEEK_CUR), 4);
  off_t offset = 10;
  CHECK_EQ(sendfile(out, in, &offset, 5), 5);
  CHECK_EQ(offset, 15);
  CHECK_EQ(lseek(in, 0, SEEK_CUR), 4);
  CHECK_EQ(sendfile(out, in, &offset, 1000), 5);
  CHECK_EQ(offset, 20);
  CHECK_EQ(sendfile(out, in, &offset, 1000), 0);
  char text[64] = {0};
  CHECK_EQ(pread(out, text, sizeof text, 0), 14);
  CHECK_STR(text, "0123abcdefghij");

  int ends[2];
  CHECK_OK(pipe2(ends, O_NONBLOCK));
  offset = 0;
  CHECK_EQ(sendfile(ends[1], in, &offset, 10), 10);
  CHECK_EQ(read(ends[0], text, sizeof text), 10);
  CHECK_MEM(text, "0123456789", 10);
  int pair[2];
  CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  CHECK_EQ(sendfile(pair[0], in, &offset, 10), 10);
  CHECK_EQ(read(pair[1], text, sizeof text), 10);
  CHECK_MEM(text, "abcdefghij", 10);

  // A source without a position could lose what does not fit.
  int master = (int)CHECK_OK(posix_openpt(O_RDWR | O_NOCTTY));
  CHECK_OK(grantpt(master));
  CHECK_OK(unlockpt(master));
  int terminal = (int)CHECK_OK(open(ptsname(master), O_RDWR | O_NOCTTY));
  CHECK_EQ(write(master, "x\n", 2), 2);
  CHECK_ERR(sendfile(out, terminal, NULL, 1), EINVAL);
  CHECK_OK(close(terminal));
  CHECK_OK(close(master));

  // Large, into a pipe with a reader.
  int big = (int)CHECK_OK(open("big", O_RDWR | O_CREAT, 0600));
  CHECK_OK(ftruncate(big, 300000));
  CHECK_EQ(pwrite(big, "end", 3, 299997), 3);
  int flow[2];
  CHECK_OK(pipe(flow));
  pid_t pid = Fork();
  if (pid == 0) {
    close(flow[0]);
    off_t at = 0;
    while (at < 300000) CHECK(CHECK_OK(sendfile(flow[1], big, &at, 300000)) > 0);
    _exit(0);
  }
  close(flow[1]);
  static char chunk[7777];
  long total = 0, n;
  char last[3] = {0};
  while ((n = CHECK_OK(read(flow[0], chunk, sizeof chunk))) > 0) {
    for (long i = 0; i < n; i++) {
      last[0] = last[1];
      last[1] = last[2];
      last[2] = chunk[i];
    }
    total += n;
  }
  CHECK_EQ(total, 300000);
  CHECK_MEM(last, "end", 3);
  WAIT_EXIT(pid, 0);

  CHECK_ERR(sendfile(out, ends[0], NULL, 1), EINVAL);
  CHECK_ERR(sendfile(in, in, NULL, 1), EBADF);
  CHECK_ERR(sendfile(out, -1, NULL, 1), EBADF);
  CHECK_ERR(sendfile(-1, in, NULL, 1), EBADF);
  offset = -1;
  CHECK_ERR(sendfile(out, in, &offset, 1), EINVAL);
  CHECK_ERR(sendfile(out, in, (off_t*)8, 1), EFAULT);
  int append = (int)CHECK_OK(open("out", O_WRONLY | O_APPEND));
  CHECK_ERR(sendfile(append, in, NULL, 1), EINVAL);
  return 0;
}
