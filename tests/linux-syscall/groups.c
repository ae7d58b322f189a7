// getgroups(2), setgroups(2) and what supplementary groups allow.
#include "proc.h"

int main(void) {
  gid_t groups[70];
  int count = (int)CHECK_OK(getgroups(0, NULL));
  CHECK_EQ(getgroups(70, groups), count);
  CHECK_ERR(syscall(SYS_getgroups, -1, groups), EINVAL);
  if (count > 0) CHECK_ERR(syscall(SYS_getgroups, count, BAD_POINTER), EFAULT);
  if (!IsRoot()) {
    CHECK_ERR(setgroups(0, NULL), EPERM);
    return 0;
  }
  TempDir();
  WriteFile("file", "x");
  CHECK_OK(chown("file", 0, 500));
  CHECK_OK(chmod("file", 0640));
  IN_CHILD({
    gid_t set[3] = {500, 7, 600};
    CHECK_OK(setgroups(3, set));
    CHECK_EQ(getgroups(70, groups), 3);
    bool seen[3] = {false};
    for (int i = 0; i < 3; i++)
      for (int j = 0; j < 3; j++) seen[j] |= groups[i] == set[j];
    CHECK(seen[0] && seen[1] && seen[2]);
    CHECK_ERR(getgroups(2, groups), EINVAL);
    CHECK_ERR(setgroups(65537, groups), EINVAL);
    CHECK_ERR(syscall(SYS_setgroups, 3, BAD_POINTER), EFAULT);
    IN_CHILD(CHECK_EQ(getgroups(70, groups), 3));  // inherited
    CHECK_OK(setresgid(65534, 65534, 65534));
    CHECK_OK(setresuid(65534, 65534, 65534));
    CHECK_OK(open("file", O_RDONLY));
    CHECK_ERR(open("file", O_WRONLY), EACCES);
    CHECK_ERR(setgroups(0, NULL), EPERM);
  });
  IN_CHILD({
    BecomeNobody();
    CHECK_EQ(getgroups(0, NULL), 0);
    CHECK_ERR(open("file", O_RDONLY), EACCES);
  });
  return 0;
}
