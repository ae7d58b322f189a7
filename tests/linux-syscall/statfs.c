// statfs(2), fstatfs(2): plausible figures, the same by path and descriptor, errors.
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "check.h"

int main(void) {
  const char* home = TempDir();
  struct statfs a, b;
  CHECK_OK(statfs(home, &a));
  CHECK(a.f_bsize >= 512);
  CHECK(a.f_namelen >= 255);
  CHECK(a.f_type != 0);
  CHECK(a.f_bfree <= a.f_blocks && a.f_bavail <= a.f_bfree);
  int fd = (int)CHECK_OK(open(".", O_RDONLY));
  CHECK_OK(fstatfs(fd, &b));
  CHECK_EQ(b.f_type, a.f_type);
  CHECK_EQ(b.f_bsize, a.f_bsize);
  CHECK_MEM(&a.f_fsid, &b.f_fsid, sizeof a.f_fsid);
  int path = (int)CHECK_OK(open(".", O_PATH));
  CHECK_OK(fstatfs(path, &b));
  CHECK_OK(statfs("/proc", &b));
  CHECK_EQ(b.f_type, 0x9fa0);
  int ends[2];
  CHECK_OK(pipe(ends));
  CHECK_OK(fstatfs(ends[0], &b));
  CHECK_EQ(b.f_type, 0x50495045);
  struct statvfs v;
  CHECK_OK(statvfs(home, &v));
  CHECK_EQ(v.f_namemax, a.f_namelen);
  WriteFile("f", "x");
  CHECK_OK(statfs("f", &b));
  CHECK_ERR(statfs("missing", &b), ENOENT);
  CHECK_ERR(statfs("f/x", &b), ENOTDIR);
  CHECK_ERR(fstatfs(-1, &b), EBADF);
  CHECK_ERR(syscall(SYS_statfs, home, NULL), EFAULT);
  return 0;
}
