// What a file was trusted with goes with its old contents and its old owner: capabilities.
#include <sys/xattr.h>

#include "check.h"

static const char kName[] = "security.capability";

static void Grant(void) {
  const uint32_t words[5] = {0x02000001, 1 << 10, 0, 0, 0};
  CHECK(setxattr("f", kName, words, sizeof words, 0) == 0);
  CHECK(getxattr("f", kName, NULL, 0) == sizeof words);
}

static void CheckGone(void) { CHECK_ERR(getxattr("f", kName, NULL, 0), ENODATA); }

int main(void) {
  if (geteuid() != 0) return 77;
  TempDir();
  const int fd = open("f", O_CREAT | O_RDWR, 0755);
  CHECK(fd >= 0);
  const uint32_t words[5] = {0x02000001, 1 << 10, 0, 0, 0};
  if (setxattr("f", kName, words, sizeof words, 0) != 0) return 77;
  CHECK(write(fd, "x", 1) == 1);
  CheckGone();
  Grant();
  CHECK(chmod("f", 0700) == 0);
  CHECK(getxattr("f", kName, NULL, 0) == sizeof words);
  CHECK(chown("f", 1, 1) == 0);
  CheckGone();
  Grant();
  CHECK(ftruncate(fd, 0) == 0);
  CheckGone();
  Grant();
  CHECK(truncate("f", 10) == 0);
  CheckGone();
  CHECK(mkdir("d", 0755) == 0);
  CHECK_ERR(open("d", O_RDONLY | O_DIRECT), EINVAL);
  return 0;
}
