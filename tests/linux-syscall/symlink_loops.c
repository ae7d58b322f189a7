// Path walks through symlinks: forty are followed, more give ELOOP, loops give ELOOP.
#include "check.h"

int main(void) {
  TempDir();
  CHECK_OK(symlink("b", "a"));
  CHECK_OK(symlink("a", "b"));
  CHECK_OK(symlink("self", "self"));
  struct stat st;
  CHECK_ERR(stat("a", &st), ELOOP);
  CHECK_ERR(open("self", O_RDONLY), ELOOP);
  CHECK_ERR(open("self", O_RDWR | O_CREAT, 0600), ELOOP);
  CHECK_ERR(open("self/x", O_RDONLY), ELOOP);
  CHECK_ERR(chdir("a"), ELOOP);
  CHECK_ERR(access("a", F_OK), ELOOP);
  CHECK_ERR(truncate("a", 0), ELOOP);
  CHECK_OK(lstat("a", &st));
  CHECK_ERR(lstat("a/", &st), ELOOP);
  CHECK_OK(rename("a", "c"));
  CHECK_OK(unlink("b"));

  // A chain: link 1 → f, link n → link n-1. Linux follows forty in one walk.
  WriteFile("f", "x");
  char name[32], target[32] = "f";
  for (int i = 1; i <= 41; i++) {
    snprintf(name, sizeof name, "chain%d", i);
    CHECK_OK(symlink(target, name));
    strcpy(target, name);
  }
  CHECK_OK(stat("chain40", &st));
  CHECK_ERR(stat("chain41", &st), ELOOP);
  CHECK_OK(lstat("chain41", &st));

  // The same limit for many links side by side in one path.
  CHECK_OK(symlink(".", "here"));
  char path[41 * 5 + 2] = "";
  for (int i = 0; i < 40; i++) strcat(path, "here/");
  strcat(path, "f");
  CHECK_OK(stat(path, &st));
  char more[sizeof path + 8];
  snprintf(more, sizeof more, "here/%s", path);
  CHECK_ERR(stat(more, &st), ELOOP);
  return 0;
}
