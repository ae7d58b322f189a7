// sync(2), syncfs(2), fsync(2), fdatasync(2), sync_file_range(2): what they accept.
#include "check.h"

int main(void) {
  TempDir();
  int fd = (int)CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
  CHECK_EQ(write(fd, "x", 1), 1);
  CHECK_OK(fsync(fd));
  CHECK_OK(fdatasync(fd));
  int reader = (int)CHECK_OK(open("f", O_RDONLY));
  CHECK_OK(fsync(reader));
  int dir = (int)CHECK_OK(open(".", O_RDONLY));
  CHECK_OK(fsync(dir));
  CHECK_OK(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
  CHECK_ERR(sync_file_range(fd, -1, 0, SYNC_FILE_RANGE_WRITE), EINVAL);
  CHECK_ERR(sync_file_range(fd, 0, 0, 0x100), EINVAL);
  int ends[2];
  CHECK_OK(pipe(ends));
  CHECK_ERR(fsync(ends[0]), EINVAL);
  CHECK_ERR(fdatasync(ends[1]), EINVAL);
  CHECK_ERR(sync_file_range(ends[0], 0, 0, SYNC_FILE_RANGE_WRITE), ESPIPE);
  CHECK_ERR(fsync(-1), EBADF);
  CHECK_ERR(fdatasync(-1), EBADF);
  CHECK_ERR(syncfs(-1), EBADF);
  int sync_fd = (int)CHECK_OK(open("f", O_WRONLY | O_DSYNC));
  CHECK_EQ(write(sync_fd, "y", 1), 1);
  CHECK(fcntl(sync_fd, F_GETFL) & O_DSYNC);
  return 0;
}
