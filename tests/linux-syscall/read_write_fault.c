// read(2) and write(2) with buffers that become invalid half way: what was transferred is told
// exactly.
#include <sys/socket.h>

#include "check.h"

static void TestFile(void) {
  int fd = (int)CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
  size_t page = PageSize();
  char* data = calloc(1, 4 * page);
  memset(data, 'd', 4 * page);
  CHECK_EQ(write(fd, data, 4 * page), 4 * page);

  // Reading: as far as the buffer goes.
  for (size_t room = 1; room <= 3 * page; room = room * 3 + 1) {
    char* edge = EdgeBuffer(room);
    memset(edge, 0, room);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(read(fd, edge, 4 * page), room);
    CHECK_MEM(edge, data, room);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), room);
  }
  CHECK_EQ(lseek(fd, 7, SEEK_SET), 7);
  CHECK_ERR(read(fd, EdgeBuffer(0), 1), EFAULT);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 7);
  CHECK_EQ(read(fd, EdgeBuffer(0), 0), 0);

  // Writing: nothing beyond the fault is written. How much before it depends on the file system
  // (whole pages or all of it), but the count, the offset and the contents must agree.
  for (size_t room = 1; room <= 3 * page; room = room * 3 + 1) {
    char* edge = EdgeBuffer(room);
    memset(edge, 'W', room);
    CHECK_OK(ftruncate(fd, 0));
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    ssize_t n = write(fd, edge, room + page);
    if (n == -1) {
      CHECK_EQ(errno, EFAULT);
      n = 0;
    }
    CHECK(n <= (ssize_t)room);
    CHECK(n > 0 || room < page);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), n);
    CHECK_EQ(lseek(fd, 0, SEEK_END), n);
  }
  CHECK_ERR(write(fd, EdgeBuffer(0), 1), EFAULT);
  free(data);
  close(fd);
}

static void TestPipe(void) {
  int ends[2];
  CHECK_OK(pipe2(ends, O_NONBLOCK));
  CHECK_EQ(write(ends[1], "0123456789", 10), 10);
  CHECK_ERR(read(ends[0], EdgeBuffer(0), 10), EFAULT);
  char text[16] = {0};
  CHECK_EQ(read(ends[0], text, 3), 3);  // the failure consumed nothing
  CHECK_MEM(text, "012", 3);
  CHECK_ERR(write(ends[1], EdgeBuffer(0), 1), EFAULT);
  CHECK_EQ(read(ends[0], text, 16), 7);
  CHECK_ERR(read(ends[0], text, 1), EAGAIN);
}

static void TestStream(void) {
  int ends[2];
  CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends));
  CHECK_EQ(write(ends[1], "0123456789", 10), 10);
  char text[16] = {0};
  CHECK_ERR(read(ends[0], EdgeBuffer(0), 10), EFAULT);
  CHECK_EQ(read(ends[0], text, 16), 10);
  CHECK_MEM(text, "0123456789", 10);
  CHECK_ERR(write(ends[1], EdgeBuffer(2), 3), EFAULT);
  CHECK_ERR(read(ends[0], text, 1), EAGAIN);
}

static void TestReadOnlyBuffer(void) {
  int zero = (int)CHECK_OK(open("/dev/zero", O_RDONLY));
  char* page = CHECK_MAP(mmap(NULL, PageSize(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  CHECK_ERR(read(zero, page, 1), EFAULT);
  int fd = (int)CHECK_OK(open("f", O_RDWR));
  CHECK_EQ(pwrite(fd, page, 100, 0), 100);
  CHECK_ERR(pread(fd, page, 100, 0), EFAULT);
  CHECK_ERR(pread(fd, (char*)(uintptr_t)&TestReadOnlyBuffer, 100, 0), EFAULT);
}

int main(void) {
  TempDir();
  TestFile();
  TestPipe();
  TestStream();
  TestReadOnlyBuffer();
  return 0;
}
