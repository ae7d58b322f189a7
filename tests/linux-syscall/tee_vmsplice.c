// tee(2) copies between pipes without consuming; vmsplice(2) moves between memory and pipes.
#include <sys/uio.h>

#include "check.h"

int main(void) {
  int a[2], b[2];
  CHECK_OK(pipe2(a, O_NONBLOCK));
  CHECK_OK(pipe2(b, O_NONBLOCK));
  char text[32];
  CHECK_EQ(write(a[1], "hello", 5), 5);
  CHECK_EQ(tee(a[0], b[1], 3, 0), 3);
  CHECK_EQ(tee(a[0], b[1], 100, 0), 5);
  CHECK_EQ(read(b[0], text, sizeof text), 8);
  CHECK_MEM(text, "helhello", 8);
  CHECK_EQ(read(a[0], text, sizeof text), 5);
  CHECK_ERR(tee(a[0], b[1], 1, SPLICE_F_NONBLOCK), EAGAIN);
  CHECK_EQ(tee(a[0], b[1], 0, 0), 0);
  CHECK_ERR(tee(a[0], a[1], 1, 0), EINVAL);
  CHECK_ERR(tee(-1, a[1], 1, 0), EBADF);
  CHECK_ERR(tee(a[1], b[1], 1, 0), EBADF);
  int null = (int)CHECK_OK(open("/dev/null", O_RDWR));
  CHECK_ERR(tee(null, b[1], 1, 0), EINVAL);

  struct iovec out[2] = {{"ab", 2}, {"cde", 3}};
  CHECK_EQ(vmsplice(a[1], out, 2, 0), 5);
  char x[2], y[10];
  struct iovec in[2] = {{x, 2}, {y, 10}};
  CHECK_EQ(vmsplice(a[0], in, 2, 0), 5);
  CHECK_MEM(x, "ab", 2);
  CHECK_MEM(y, "cde", 3);
  CHECK_ERR(vmsplice(null, out, 2, 0), EBADF);
  CHECK_ERR(vmsplice(-1, out, 2, 0), EBADF);
  struct iovec bad = {(void*)8, 5};
  CHECK_ERR(vmsplice(a[1], &bad, 1, 0), EFAULT);

  // One that blocks waits for room once, and takes what there is.
  int c[2];
  CHECK_OK(pipe(c));
  const size_t room = (size_t)CHECK_OK(fcntl(c[1], F_GETPIPE_SZ));
  char* const much =
      CHECK_MAP(mmap(NULL, 2 * room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  memset(much, 'm', 2 * room);
  struct iovec all = {much, 2 * room};
  CHECK_EQ(vmsplice(c[1], &all, 1, 0), room);
  CHECK_ERR(vmsplice(c[1], &all, 1, SPLICE_F_NONBLOCK), EAGAIN);

  close(a[1]);
  CHECK_EQ(tee(a[0], b[1], 1, 0), 0);
  return 0;
}
