// Real, effective and saved ids: getresuid(2), setuid(2), setreuid(2), setresuid(2), setfsuid(2)
// and those of groups.
#include <sys/fsuid.h>

#include "proc.h"

static void ExpectUids(uid_t real, uid_t effective, uid_t saved) {
  uid_t r, e, s;
  CHECK_OK(getresuid(&r, &e, &s));
  CHECK_EQ(r, real);
  CHECK_EQ(e, effective);
  CHECK_EQ(s, saved);
  CHECK_EQ(getuid(), real);
  CHECK_EQ(geteuid(), effective);
  CHECK_EQ(syscall(SYS_setfsuid, -1), effective);  // follows the effective one
}

static void ExpectGids(gid_t real, gid_t effective, gid_t saved) {
  gid_t r, e, s;
  CHECK_OK(getresgid(&r, &e, &s));
  CHECK_EQ(r, real);
  CHECK_EQ(e, effective);
  CHECK_EQ(s, saved);
  CHECK_EQ(getgid(), real);
  CHECK_EQ(getegid(), effective);
}

static void Unprivileged(void) {
  uid_t uid = getuid();
  uid_t other = uid + 1;
  CHECK_ERR(setuid(other), EPERM);
  CHECK_ERR(setreuid(other, (uid_t)-1), EPERM);
  CHECK_ERR(setreuid((uid_t)-1, other), EPERM);
  CHECK_ERR(setresuid((uid_t)-1, (uid_t)-1, other), EPERM);
  CHECK_ERR(setgid(getgid() + 1), EPERM);
  CHECK_ERR(setresgid(getgid() + 1, (gid_t)-1, (gid_t)-1), EPERM);
  gid_t group = getgid();
  CHECK_ERR(setgroups(1, &group), EPERM);
  CHECK_OK(setuid(uid));
  CHECK_OK(setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1));
  CHECK_OK(setresuid(uid, uid, uid));
  ExpectUids(uid, uid, uid);
}

static void AsRoot(void) {
  // setuid by root sets all three, for good.
  IN_CHILD({
    CHECK_OK(setuid(1234));
    ExpectUids(1234, 1234, 1234);
    CHECK_ERR(setuid(0), EPERM);
    Unprivileged();
  });
  // seteuid can be taken back.
  IN_CHILD({
    CHECK_OK(seteuid(1000));
    ExpectUids(0, 1000, 0);
    CHECK_ERR(setuid(5), EPERM);
    CHECK_OK(setuid(0));  // unprivileged: sets the effective one
    ExpectUids(0, 0, 0);
  });
  // setreuid: the saved one follows when the real one is set or the effective one differs from the
  // old real one.
  IN_CHILD({
    CHECK_OK(setreuid(1, 2));
    ExpectUids(1, 2, 2);
    CHECK_OK(setreuid(2, 1));
    ExpectUids(2, 1, 1);
    CHECK_OK(setreuid((uid_t)-1, 2));
    ExpectUids(2, 2, 1);
    CHECK_OK(setreuid((uid_t)-1, 1));
    ExpectUids(2, 1, 1);
    CHECK_ERR(setreuid(3, (uid_t)-1), EPERM);
  });
  IN_CHILD({
    CHECK_OK(setresuid(10, 20, 30));
    ExpectUids(10, 20, 30);
    CHECK_OK(setresuid(30, 10, 20));
    ExpectUids(30, 10, 20);
    CHECK_OK(setuid(20));
    ExpectUids(30, 20, 20);
    CHECK_ERR(setresuid(40, (uid_t)-1, (uid_t)-1), EPERM);
    ExpectUids(30, 20, 20);
  });
  IN_CHILD({
    CHECK_OK(setgid(77));
    ExpectGids(77, 77, 77);
    CHECK_OK(setregid(78, 79));
    ExpectGids(78, 79, 79);
    CHECK_OK(setresgid(1, 2, 3));
    ExpectGids(1, 2, 3);
    CHECK_OK(setresuid(5, 5, 5));
    CHECK_OK(setresgid(3, 1, 2));
    CHECK_OK(setgid(2));
    ExpectGids(3, 2, 2);
    CHECK_ERR(setgid(9), EPERM);
  });
  // The id for files alone: yields the old one, never an error.
  IN_CHILD({
    CHECK_EQ(setfsuid(55), 0);
    CHECK_EQ(setfsuid((uid_t)-1), 55);
    CHECK_EQ(setfsgid(56), 0);
    CHECK_EQ(setfsgid((gid_t)-1), 56);
    CHECK_OK(setresuid((uid_t)-1, 9, (uid_t)-1));
    CHECK_EQ(setfsuid((uid_t)-1), 9);
  });
  // Files made belong to the file-system ids; access is checked with them, access(2) with the real
  // ones.
  TempDir();
  CHECK_OK(chmod(".", 0777));
  WriteFile("secret", "x");
  CHECK_OK(chmod("secret", 0600));
  IN_CHILD({
    CHECK_OK(setegid(4321));
    CHECK_OK(seteuid(1234));
    WriteFile("mine", "x");
    struct stat st;
    CHECK_OK(stat("mine", &st));
    CHECK_EQ(st.st_uid, 1234);
    CHECK_EQ(st.st_gid, 4321);
    CHECK_ERR(open("secret", O_RDONLY), EACCES);
    CHECK_OK(access("secret", R_OK));
  });
}

int main(void) {
  CHECK_ERR(syscall(SYS_getresuid, BAD_POINTER, BAD_POINTER, BAD_POINTER), EFAULT);
  CHECK_ERR(syscall(SYS_setuid, -1), EINVAL);
  CHECK_ERR(syscall(SYS_setgid, -1), EINVAL);
  if (IsRoot()) {
    AsRoot();
    IN_CHILD(BecomeNobody(), Unprivileged());
  } else {
    Unprivileged();
  }
  return 0;
}
