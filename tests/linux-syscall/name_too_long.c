// NAME_MAX and PATH_MAX at their exact borders.
#include "check.h"

int main(void) {
  TempDir();
  struct stat st;
  char name[257];
  memset(name, 'n', sizeof name);
  name[255] = 0;
  close((int)CHECK_OK(open(name, O_RDWR | O_CREAT, 0600)));
  CHECK_OK(stat(name, &st));
  CHECK_OK(unlink(name));
  name[255] = 'n';
  name[256] = 0;
  CHECK_ERR(open(name, O_RDWR | O_CREAT, 0600), ENAMETOOLONG);
  CHECK_ERR(stat(name, &st), ENAMETOOLONG);
  CHECK_ERR(mkdir(name, 0700), ENAMETOOLONG);
  CHECK_ERR(symlink("x", name), ENAMETOOLONG);
  CHECK_ERR(unlink(name), ENAMETOOLONG);
  WriteFile("f", "x");
  CHECK_ERR(rename("f", name), ENAMETOOLONG);
  CHECK_ERR(link("f", name), ENAMETOOLONG);

  // A path has at most 4095 characters and its zero.
  char path[4200];
  memset(path, '/', sizeof path);
  for (size_t i = 0; i < 4096; i += 2) path[i] = '.';
  path[4094] = 'f';
  path[4095] = 0;
  CHECK_OK(stat(path, &st));
  path[4095] = '/';
  path[4096] = 0;
  CHECK_ERR(stat(path, &st), ENAMETOOLONG);
  CHECK_ERR(open(path, O_RDONLY), ENAMETOOLONG);
  CHECK_ERR(chdir(path), ENAMETOOLONG);
  memset(path, 'x', sizeof path);
  path[4199] = 0;
  CHECK_ERR(access(path, F_OK), ENAMETOOLONG);

  // A path may run up to unreadable memory, but not into it.
  char* edge = EdgeBuffer(2);
  memcpy(edge, "f", 2);
  CHECK_OK(stat(edge, &st));
  edge[1] = 'g';
  CHECK_ERR(stat(edge, &st), EFAULT);
  return 0;
}
