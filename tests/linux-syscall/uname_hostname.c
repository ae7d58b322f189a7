// uname(2), sethostname(2), setdomainname(2).
#include <sys/utsname.h>

#include "proc.h"

int main(void) {
  struct utsname name;
  memset(&name, 0xee, sizeof name);
  CHECK_OK(uname(&name));
  CHECK_STR(name.sysname, "Linux");
#if defined(__x86_64__)
  CHECK_STR(name.machine, "x86_64");
#elif defined(__riscv)
  CHECK_STR(name.machine, "riscv64");
#endif
  int major = 0, minor = 0;
  CHECK_EQ(sscanf(name.release, "%d.%d", &major, &minor), 2);
  CHECK(major >= 4 && major < 20);
  CHECK(strlen(name.version) > 0);
  char host[65];
  CHECK_OK(gethostname(host, sizeof host));
  CHECK_STR(host, name.nodename);
  CHECK_ERR(syscall(SYS_uname, BAD_POINTER), EFAULT);

  char text[512];
  ReadText("/proc/sys/kernel/hostname", text, sizeof text);
  text[strcspn(text, "\n")] = 0;
  CHECK_STR(text, name.nodename);
  ReadText("/proc/sys/kernel/osrelease", text, sizeof text);
  text[strcspn(text, "\n")] = 0;
  CHECK_STR(text, name.release);
  ReadText("/proc/sys/kernel/version", text, sizeof text);
  text[strcspn(text, "\n")] = 0;
  CHECK_STR(text, name.version);
  ReadText("/proc/version", text, sizeof text);
  CHECK(strstr(text, name.version) != NULL);
  CHECK(strncmp(text, "Linux version ", 14) == 0);
  CHECK(strncmp(text + 14, name.release, strlen(name.release)) == 0);

  IN_CHILD({
    BecomeNobody();
    CHECK_ERR(sethostname("other", 5), EPERM);
    CHECK_ERR(setdomainname("other", 5), EPERM);
    CHECK_ERR(syscall(SYS_sethostname, "other", -1), EPERM);  // permission comes first
  });
  // Only in a namespace of our own would changing it be polite.
  if (IsRoot() && unshare(CLONE_NEWUTS) == 0) {
    CHECK_OK(sethostname("zhost", 5));
    CHECK_OK(uname(&name));
    CHECK_STR(name.nodename, "zhost");
    CHECK_OK(setdomainname("zdomain", 7));
    CHECK_ERR(sethostname("x", 65), EINVAL);
    CHECK_ERR(syscall(SYS_sethostname, "x", -1), EINVAL);
    CHECK_ERR(syscall(SYS_sethostname, BAD_POINTER, 3), EFAULT);
  }
  return 0;
}
