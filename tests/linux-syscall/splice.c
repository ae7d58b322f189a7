// splice(2): file to pipe, pipe to file, pipe to pipe, offsets, flags, errors.
#include <sys/socket.h>

#include "check.h"

int main(void) {
  TempDir();
  WriteFile("in", "0123456789");
  int in = (int)CHECK_OK(open("in", O_RDONLY));
  int out = (int)CHECK_OK(open("out", O_RDWR | O_CREAT, 0600));
  int a[2], b[2];
  CHECK_OK(pipe2(a, O_NONBLOCK));
  CHECK_OK(pipe2(b, O_NONBLOCK));
  char text[32] = {0};

  CHECK_EQ(splice(in, NULL, a[1], NULL, 4, 0), 4);
  CHECK_EQ(lseek(in, 0, SEEK_CUR), 4);
  loff_t at = 8;
  CHECK_EQ(splice(in, &at, a[1], NULL, 100, 0), 2);
  CHECK_EQ(at, 10);
  CHECK_EQ(splice(in, &at, a[1], NULL, 100, 0), 0);
  CHECK_EQ(splice(a[0], NULL, b[1], NULL, 5, 0), 5);  // crosses from one buffer to the next
  CHECK_EQ(read(b[0], text, sizeof text), 5);
  CHECK_MEM(text, "01238", 5);
  loff_t to = 3;
  CHECK_EQ(write(a[1], "xyz", 3), 3);
  CHECK_EQ(splice(a[0], NULL, out, &to, 100, 0), 4);
  CHECK_EQ(to, 7);
  CHECK_EQ(lseek(out, 0, SEEK_CUR), 0);
  CHECK_EQ(read(out, text, sizeof text), 7);
  CHECK_MEM(text,
            "\0\0\0"
            "9xyz",
            7);

  CHECK_ERR(splice(a[0], NULL, out, NULL, 1, 0), EAGAIN);
  CHECK_ERR(splice(a[0], NULL, b[1], NULL, 1, SPLICE_F_NONBLOCK), EAGAIN);
  CHECK_EQ(splice(a[0], NULL, out, NULL, 0, 0), 0);
  int pair[2];
  CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  CHECK_EQ(write(a[1], "socket", 6), 6);
  CHECK_EQ(splice(a[0], NULL, pair[0], NULL, 6, 0), 6);
  CHECK_EQ(splice(pair[1], NULL, b[1], NULL, 6, 0), 6);
  CHECK_EQ(read(b[0], text, sizeof text), 6);
  CHECK_MEM(text, "socket", 6);

  // The writer goes: end of file.
  close(a[1]);
  CHECK_EQ(splice(a[0], NULL, b[1], NULL, 1, 0), 0);
  CHECK_ERR(splice(in, NULL, out, NULL, 1, 0), EINVAL);  // one of them must be a pipe
  at = 0;
  CHECK_ERR(splice(b[0], &at, out, NULL, 1, 0), ESPIPE);
  CHECK_ERR(splice(in, NULL, b[1], &at, 1, 0), ESPIPE);
  CHECK_ERR(splice(b[0], NULL, b[1], NULL, 1, 0), EINVAL);  // a pipe into itself
  CHECK_ERR(splice(in, NULL, b[0], NULL, 1, 0), EBADF);
  CHECK_ERR(splice(-1, NULL, b[1], NULL, 1, 0), EBADF);
  CHECK_ERR(splice(in, NULL, b[1], NULL, 1, 0x1000), EINVAL);
  int append = (int)CHECK_OK(open("out", O_WRONLY | O_APPEND));
  CHECK_EQ(write(b[1], "q", 1), 1);
  CHECK_ERR(splice(b[0], NULL, append, NULL, 1, 0), EINVAL);
  return 0;
}
