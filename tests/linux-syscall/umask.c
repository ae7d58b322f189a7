// umask(2): applied to every kind of new node, inherited by children, not by chmod.
#include "check.h"

static unsigned Mode(const char* path) {
  struct stat st;
  CHECK_OK(lstat(path, &st));
  return st.st_mode & 07777;
}

int main(void) {
  TempDir();
  mode_t old = umask(027);
  CHECK_EQ(umask(027), 027);
  close((int)CHECK_OK(open("f", O_RDWR | O_CREAT, 0777)));
  CHECK_EQ(Mode("f"), 0750);
  CHECK_OK(mkdir("d", 0777));
  CHECK_EQ(Mode("d"), 0750);
  CHECK_OK(mkfifo("p", 0666));
  CHECK_EQ(Mode("p"), 0640);
  CHECK_OK(symlink("x", "l"));
  CHECK_EQ(Mode("l"), 0777);
  CHECK_OK(chmod("f", 0777));
  CHECK_EQ(Mode("f"), 0777);
  umask(07777);
  CHECK_EQ(umask(0), 0777);  // only permission bits are kept
  close((int)CHECK_OK(open("g", O_RDWR | O_CREAT, 06777)));
  CHECK_EQ(Mode("g"), 06777);
  umask(077);
  IN_CHILD(CHECK_EQ(umask(0), 077));
  CHECK_EQ(umask(old), 077);
  return 0;
}
