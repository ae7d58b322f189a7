// pread(2), pwrite(2): the offset stays; negative offsets, pipes, O_APPEND.
#include <sys/inotify.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "check.h"

int main(void) {
  TempDir();
  int fd = (int)CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
  CHECK_EQ(pwrite(fd, "world", 5, 6), 5);
  CHECK_EQ(pwrite(fd, "hello ", 6, 0), 6);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
  char text[16] = {0};
  CHECK_EQ(pread(fd, text, sizeof text, 0), 11);
  CHECK_STR(text, "hello world");
  CHECK_EQ(pread(fd, text, 3, 9), 2);
  CHECK_EQ(pread(fd, text, 3, 11), 0);
  CHECK_EQ(pread(fd, text, 3, 1000000), 0);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
  CHECK_ERR(pread(fd, text, 1, -1), EINVAL);
  CHECK_ERR(pwrite(fd, text, 1, -1), EINVAL);
  CHECK_ERR(pread(fd, text, 1, INT64_MIN), EINVAL);
  CHECK_ERR(pread(-1, text, 1, 0), EBADF);

  // O_APPEND outranks pwrite's offset (pwrite(2), BUGS).
  int append = (int)CHECK_OK(open("f", O_WRONLY | O_APPEND));
  CHECK_EQ(pwrite(append, "!", 1, 0), 1);
  CHECK_EQ(pread(fd, text, sizeof text, 0), 12);
  CHECK_MEM(text, "hello world!", 12);
  CHECK_ERR(pread(append, text, 1, 0), EBADF);

  int ends[2];
  CHECK_OK(pipe(ends));
  CHECK_ERR(pread(ends[0], text, 1, 0), ESPIPE);
  CHECK_ERR(pwrite(ends[1], text, 1, 0), ESPIPE);
  // What has no positions says so before it looks at the access mode or the buffer.
  struct iovec bad = {(void*)UINTPTR_MAX, 1};
  CHECK_ERR(pread(ends[1], text, 1, 0), ESPIPE);
  CHECK_ERR(pwrite(ends[0], text, 1, 0), ESPIPE);
  CHECK_ERR(preadv(ends[1], &bad, 1, 0), ESPIPE);
  CHECK_ERR(pwritev(ends[0], &bad, 1, 0), ESPIPE);
  CHECK_ERR(preadv2(ends[1], &bad, 1, 0, 0), ESPIPE);
  CHECK_ERR(preadv2(ends[1], &bad, 1, -1, 0), EBADF);
  int notify = (int)CHECK_OK(inotify_init());
  CHECK_ERR(pwrite(notify, text, 1, 0), ESPIPE);
  CHECK_ERR(pread(notify, text, 1, 0), ESPIPE);
  int place = (int)CHECK_OK(open("f", O_PATH));
  CHECK_ERR(pread(place, text, 1, 0), EBADF);

  // No range reaches beyond the largest offset, be there bytes or not.
  const loff_t far = INT64_MAX - 3;
  struct iovec four = {text, 4};
  CHECK_ERR(pread(fd, text, 4, far), EINVAL);
  CHECK_ERR(pwrite(fd, text, 4, far), EINVAL);
  CHECK_ERR(preadv(fd, &four, 1, far), EINVAL);
  CHECK_ERR(pwritev(fd, &four, 1, far), EINVAL);
  CHECK_EQ(pread(fd, text, 3, far), 0);
  loff_t from = far;
  CHECK_ERR(sendfile(fd, fd, &from, 4), EINVAL);
  CHECK_ERR(splice(fd, &from, ends[1], NULL, 4, 0), EINVAL);
  CHECK_EQ(write(ends[1], text, 4), 4);
  CHECK_ERR(splice(ends[0], NULL, fd, &from, 4, 0), EINVAL);
  int dir = (int)CHECK_OK(open(".", O_RDONLY));
  CHECK_ERR(pread(dir, text, 1, 0), EISDIR);
  return 0;
}
