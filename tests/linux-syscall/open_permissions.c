// Permission checks of open(2), search permission on the way, sticky directories; as root and as
// nobody.
#include "check.h"

static void Nobody(const char* home) {
  BecomeNobody();
  char path[PATH_MAX];
  CHECK_OK(chdir(home));
  // What the caller may do decides, by owner bits first.
  CHECK_ERR(open("pub/secret", O_RDONLY), EACCES);
  CHECK_ERR(open("pub/secret", O_WRONLY), EACCES);
  close((int)CHECK_OK(open("pub/secret", O_PATH)));  // no permission on the file itself is needed
  close((int)CHECK_OK(open("pub/readable", O_RDONLY)));
  CHECK_ERR(open("pub/readable", O_RDWR), EACCES);
  CHECK_ERR(open("pub/readable", O_RDONLY | O_TRUNC), EACCES);
  CHECK_ERR(open("closed/f", O_RDONLY), EACCES);
  CHECK_ERR(open("closed/missing", O_RDONLY), EACCES);
  CHECK_ERR(open("closed", O_RDONLY), EACCES);
  CHECK_ERR(open("new", O_RDWR | O_CREAT, 0600), EACCES);
  CHECK_ERR(unlink("pub/readable"), EPERM);  // sticky, another's
  CHECK_ERR(rename("pub/readable", "pub/x"), EPERM);
  CHECK_ERR(rmdir("closed"), EACCES);
  CHECK_ERR(chmod("pub/readable", 0777), EPERM);
  CHECK_ERR(chown("pub/readable", 65534, 65534), EPERM);
  CHECK_ERR(truncate("pub/readable", 0), EACCES);
  CHECK(link("pub/readable", "new") == -1 && (errno == EPERM || errno == EACCES));
  CHECK_OK(mkdir("pub/mine", 0700));
  int fd = (int)CHECK_OK(open("pub/mine/f", O_RDWR | O_CREAT, 0));
  CHECK_EQ(write(fd, "x", 1), 1);
  CHECK_ERR(open("pub/mine/f", O_RDONLY), EACCES);
  snprintf(path, sizeof path, "%s/pub/mine/f", home);
  CHECK_ERR(open(path, O_WRONLY), EACCES);
  CHECK_OK(fchmod(fd, 0400));
  close(fd);
  close((int)CHECK_OK(open("pub/mine/f", O_RDONLY)));
  CHECK_OK(unlink("pub/mine/f"));
  CHECK_OK(rmdir("pub/mine"));
}

int main(void) {
  umask(022);
  const char* home = TempDir();
  // Own files: the owner's bits decide even when others have more.
  WriteFile("own", "x");
  CHECK_OK(chmod("own", 0077));
  if (IsRoot())
    close((int)CHECK_OK(open("own", O_RDWR)));
  else
    CHECK_ERR(open("own", O_RDONLY), EACCES);
  if (!IsRoot()) {
    CHECK_OK(mkdir("noexec", 0600));
    CHECK_ERR(open("noexec/f", O_RDONLY | O_CREAT, 0600), EACCES);
    CHECK_ERR(chdir("noexec"), EACCES);
    CHECK_OK(chmod("noexec", 0300));
    close((int)CHECK_OK(open("noexec/f", O_RDONLY | O_CREAT, 0600)));
    CHECK_ERR(open("noexec", O_RDONLY), EACCES);
    CHECK_OK(chmod("noexec", 0500));
    CHECK_ERR(unlink("noexec/f"), EACCES);
    CHECK_ERR(open("noexec/g", O_RDONLY | O_CREAT, 0600), EACCES);
    close((int)CHECK_OK(open("noexec/f", O_RDONLY | O_CREAT, 0600)));
    CHECK_OK(chmod("noexec", 0700));
    return 0;
  }
  CHECK_OK(mkdir("pub", 0755));
  CHECK_OK(chmod("pub", 01777));
  CHECK_OK(mkdir("closed", 0700));
  WriteFile("closed/f", "x");
  WriteFile("pub/secret", "x");
  CHECK_OK(chmod("pub/secret", 0600));
  WriteFile("pub/readable", "x");
  pid_t pid = Fork();
  if (pid == 0) {
    Nobody(home);
    _exit(0);
  }
  WAIT_EXIT(pid, 0);
  return 0;
}
