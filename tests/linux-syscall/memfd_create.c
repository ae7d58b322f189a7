// memfd_create(2): names, a file like others, sharing by fork, flags.
#include "check.h"

int main(void) {
  int fd = (int)CHECK_OK(memfd_create("hello", MFD_CLOEXEC));
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
  struct stat st;
  CHECK_OK(fstat(fd, &st));
  CHECK(S_ISREG(st.st_mode));
  CHECK_EQ(st.st_mode & 07777, 0777);
  CHECK_EQ(st.st_size, 0);
  CHECK_EQ(st.st_nlink, 0);
  char path[64], target[128];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  ssize_t n = CHECK_OK(readlink(path, target, sizeof target - 1));
  target[n] = 0;
  CHECK_STR(target, "/memfd:hello (deleted)");
  CHECK_OK(ftruncate(fd, 10000));
  char* map = CHECK_MAP(mmap(NULL, 10000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  IN_CHILD(map[9999] = 'c'; CHECK_EQ(pwrite(fd, "w", 1, 0), 1));
  CHECK_EQ(map[9999], 'c');
  CHECK_EQ(map[0], 'w');
  int again = (int)CHECK_OK(open(path, O_RDONLY));  // a description of its own
  char c;
  CHECK_EQ(read(again, &c, 1), 1);
  CHECK_EQ(c, 'w');
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
  int plain = (int)CHECK_OK(memfd_create("", 0));
  CHECK_EQ(fcntl(plain, F_GETFD), 0);
  char name[251];
  memset(name, 'n', 250);
  name[249] = 0;
  CHECK_OK(memfd_create(name, 0));
  name[249] = 'n';
  name[250] = 0;
  CHECK_ERR(memfd_create(name, 0), EINVAL);
  CHECK_ERR(memfd_create("x", 0x40000000), EINVAL);
  CHECK_ERR(syscall(SYS_memfd_create, NULL, 0), EFAULT);
  return 0;
}
