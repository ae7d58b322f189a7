// Extended attributes: set, get, list, remove, flags, buffer sizes, namespaces, links.
#include <sys/xattr.h>

#include "check.h"

int main(void) {
  TempDir();
  WriteFile("f", "x");
  char value[64] = {0};
  if (setxattr("f", "user.a", "one", 3, 0) == -1) {
    CHECK_EQ(errno, EOPNOTSUPP);
    SKIP("no extended attributes of users here");
  }
  CHECK_EQ(getxattr("f", "user.a", NULL, 0), 3);
  CHECK_EQ(getxattr("f", "user.a", value, sizeof value), 3);
  CHECK_STR(value, "one");
  CHECK_ERR(getxattr("f", "user.a", value, 2), ERANGE);
  CHECK_ERR(getxattr("f", "user.b", value, sizeof value), ENODATA);
  CHECK_ERR(setxattr("f", "user.a", "x", 1, XATTR_CREATE), EEXIST);
  CHECK_ERR(setxattr("f", "user.b", "x", 1, XATTR_REPLACE), ENODATA);
  CHECK_OK(setxattr("f", "user.a", "longer value", 12, XATTR_REPLACE));
  CHECK_EQ(getxattr("f", "user.a", value, sizeof value), 12);
  CHECK_OK(setxattr("f", "user.empty", NULL, 0, XATTR_CREATE));
  CHECK_EQ(getxattr("f", "user.empty", value, sizeof value), 0);

  char list[256];
  ssize_t n = CHECK_OK(listxattr("f", list, sizeof list));
  CHECK_EQ(listxattr("f", NULL, 0), n);
  int found = 0;
  for (char* name = list; name < list + n; name += strlen(name) + 1)
    if (strcmp(name, "user.a") == 0 || strcmp(name, "user.empty") == 0) found++;
  CHECK_EQ(found, 2);
  CHECK_ERR(listxattr("f", list, 3), ERANGE);

  int fd = (int)CHECK_OK(open("f", O_RDONLY));
  CHECK_OK(fsetxattr(fd, "user.fd", "v", 1, 0));
  CHECK_EQ(fgetxattr(fd, "user.fd", value, sizeof value), 1);
  CHECK_OK(flistxattr(fd, list, sizeof list));
  CHECK_OK(fremovexattr(fd, "user.fd"));
  CHECK_ERR(fremovexattr(fd, "user.fd"), ENODATA);
  CHECK_OK(removexattr("f", "user.a"));
  CHECK_ERR(removexattr("f", "user.a"), ENODATA);

  CHECK_OK(symlink("f", "l"));
  CHECK_EQ(getxattr("l", "user.empty", value, sizeof value), 0);
  CHECK(lgetxattr("l", "user.empty", value, sizeof value) == -1);
  CHECK_ERR(lsetxattr("l", "user.x", "v", 1, 0),
            EPERM);  // users' ones only on files and directories
  CHECK_OK(mkdir("d", 0755));
  CHECK_OK(setxattr("d", "user.dir", "v", 1, 0));

  CHECK_ERR(setxattr("f", "nonsense", "v", 1, 0), EOPNOTSUPP);
  CHECK_ERR(setxattr("f", "other.name", "v", 1, 0), EOPNOTSUPP);
  CHECK_ERR(setxattr("f", "user.", "v", 1, 0), EINVAL);
  CHECK_ERR(setxattr("f", "", "v", 1, 0), ERANGE);
  char name[300] = "user.";
  memset(name + 5, 'n', 290);
  CHECK_ERR(setxattr("f", name, "v", 1, 0), ERANGE);
  CHECK_ERR(setxattr("f", "user.a", "v", 1, 8), EINVAL);
  CHECK_ERR(setxattr("f", "user.a", "v", 65537, 0), E2BIG);
  CHECK_ERR(setxattr("missing", "user.a", "v", 1, 0), ENOENT);
  CHECK_ERR(fgetxattr(-1, "user.a", value, 1), EBADF);
  if (!IsRoot()) {
    CHECK_ERR(setxattr("f", "trusted.a", "v", 1, 0), EPERM);
    CHECK_OK(chmod("f", 0444));
    CHECK_ERR(setxattr("f", "user.a", "v", 1, 0), EACCES);
  }
  return 0;
}
