// chown(2) and its relatives: -1 keeps, set-ID bits fall, links, what ordinary users may.
#include "check.h"

static struct stat Stat(const char* path) {
  struct stat st;
  CHECK_OK(lstat(path, &st));
  return st;
}

static void TestRoot(void) {
  CHECK_OK(chown("f", 1000, 2000));
  CHECK_EQ(Stat("f").st_uid, 1000);
  CHECK_EQ(Stat("f").st_gid, 2000);
  CHECK_OK(chown("f", (uid_t)-1, 2001));
  CHECK_EQ(Stat("f").st_uid, 1000);
  CHECK_EQ(Stat("f").st_gid, 2001);
  CHECK_OK(chown("f", 1001, (gid_t)-1));
  CHECK_EQ(Stat("f").st_uid, 1001);
  CHECK_EQ(Stat("f").st_gid, 2001);
  CHECK_OK(lchown("link", 7, 8));
  CHECK_EQ(Stat("link").st_uid, 7);
  CHECK_EQ(Stat("f").st_uid, 1001);
  CHECK_OK(chown("link", 9, 10));
  CHECK_EQ(Stat("link").st_uid, 7);
  CHECK_EQ(Stat("f").st_uid, 9);
  int fd = (int)CHECK_OK(open("f", O_RDONLY));
  CHECK_OK(fchown(fd, 11, 12));
  CHECK_EQ(Stat("f").st_gid, 12);
  CHECK_OK(fchownat(AT_FDCWD, "link", 13, 14, AT_SYMLINK_NOFOLLOW));
  CHECK_EQ(Stat("link").st_uid, 13);

  // The owner may give the file to a group of his, and nothing more.
  CHECK_OK(chown("f", 65534, 500));
  IN_CHILD({
    gid_t groups[] = {500, 501};
    CHECK_OK(setgroups(2, groups));
    CHECK_OK(setresgid(65534, 65534, 65534));
    CHECK_OK(setresuid(65534, 65534, 65534));
    CHECK_OK(chown("f", (uid_t)-1, 501));
    CHECK_OK(chown("f", 65534, 65534));
    CHECK_ERR(chown("f", (uid_t)-1, 502), EPERM);
    CHECK_ERR(chown("f", 0, (gid_t)-1), EPERM);
    CHECK_ERR(chown("other", (uid_t)-1, 501), EPERM);
  });
  // A directory with the set-group-ID bit hands its group, and to directories the bit, on.
  CHECK_OK(mkdir("d", 0755));
  CHECK_OK(chown("d", 0, 777));
  CHECK_OK(chmod("d", 02755));
  WriteFile("d/f", "");
  CHECK_EQ(Stat("d/f").st_gid, 777);
  CHECK_EQ(Stat("d/f").st_mode, S_IFREG | 0644);
  CHECK_OK(mkdir("d/sub", 0755));
  CHECK_EQ(Stat("d/sub").st_gid, 777);
  CHECK_EQ(Stat("d/sub").st_mode, S_IFDIR | 02755);
}

int main(void) {
  umask(022);
  TempDir();
  WriteFile("f", "x");
  WriteFile("other", "x");
  CHECK_OK(symlink("f", "link"));
  CHECK_OK(chmod("f", 06755));
  CHECK_OK(chown("f", geteuid(), getegid()));
  CHECK_EQ(Stat("f").st_mode, S_IFREG | 0755);
  CHECK_OK(chmod("f", 02644));  // not executable by the group: no set-group-ID in that sense
  CHECK_OK(chown("f", geteuid(), (gid_t)-1));
  CHECK(Stat("f").st_mode == (S_IFREG | 02644) || Stat("f").st_mode == (S_IFREG | 0644));
  CHECK_OK(chown("f", (uid_t)-1, (gid_t)-1));
  CHECK_ERR(chown("missing", 0, 0), ENOENT);
  CHECK_ERR(fchown(-1, 0, 0), EBADF);
  CHECK_ERR(fchownat(AT_FDCWD, "f", 0, 0, 0x8000000), EINVAL);
  if (IsRoot())
    TestRoot();
  else
    CHECK_ERR(chown("f", 0, 0), EPERM);
  return 0;
}
