// capget(2), capset(2), PR_CAPBSET_*, PR_SET_KEEPCAPS and what happens to capabilities when ids
// change.
#include <linux/capability.h>
#include <sys/prctl.h>

#include "proc.h"

static struct __user_cap_data_struct data[2];

static long Get(uint32_t version, int pid) {
  struct __user_cap_header_struct header = {version, pid};
  memset(data, 0xee, sizeof data);
  return syscall(SYS_capget, &header, data);
}
static long Set(void) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  return syscall(SYS_capset, &header, data);
}

int main(void) {
  struct __user_cap_header_struct header = {0x1234, 0};
  CHECK_ERR(syscall(SYS_capget, &header, data), EINVAL);
  CHECK_EQ(header.version, _LINUX_CAPABILITY_VERSION_3);  // the preferred one is told
  header.version = 0;
  CHECK_OK(syscall(SYS_capget, &header, NULL));  // a probe
  CHECK_EQ(header.version, _LINUX_CAPABILITY_VERSION_3);
  CHECK_ERR(syscall(SYS_capget, BAD_POINTER, data), EFAULT);
  CHECK_ERR(Get(_LINUX_CAPABILITY_VERSION_3, -3), EINVAL);
  CHECK_ERR(Get(_LINUX_CAPABILITY_VERSION_3, 0x3fffffff), ESRCH);
  CHECK_OK(Get(_LINUX_CAPABILITY_VERSION_3, getpid()));
  CHECK_OK(Get(_LINUX_CAPABILITY_VERSION_1, 0));
  CHECK_OK(Get(_LINUX_CAPABILITY_VERSION_3, 0));
  struct __user_cap_data_struct mine[2] = {data[0], data[1]};
  CHECK_EQ(mine[0].effective & ~mine[0].permitted, 0);
  CHECK_OK(Set());  // the same again
  header = (struct __user_cap_header_struct){_LINUX_CAPABILITY_VERSION_3, 1};
  if (getpid() != 1) CHECK_ERR(syscall(SYS_capset, &header, data), EPERM);

  // Effective is part of permitted, permitted only shrinks.
  IN_CHILD({
    memset(data, 0, sizeof data);
    CHECK_OK(Set());
    data[0].effective = 1;
    CHECK_ERR(Set(), EPERM);
    data[0].permitted = 1;
    CHECK_ERR(Set(), EPERM);
    CHECK_OK(Get(_LINUX_CAPABILITY_VERSION_3, 0));
    CHECK_EQ(data[0].permitted | data[1].permitted, 0);
    CHECK_ERR(sethostname("x", 1), EPERM);
    CHECK_ERR(prctl(PR_CAPBSET_DROP, CAP_CHOWN), EPERM);
    char text[4096];
    ReadText("/proc/self/status", text, sizeof text);
    CHECK(strstr(text, "CapEff:\t0000000000000000\n") != NULL);
  });

  CHECK(prctl(PR_CAPBSET_READ, CAP_CHOWN) >= 0);
  CHECK_ERR(prctl(PR_CAPBSET_READ, 1000), EINVAL);
  CHECK_EQ(prctl(PR_GET_KEEPCAPS), 0);
  CHECK_ERR(prctl(PR_SET_KEEPCAPS, 2), EINVAL);
  if (!IsRoot()) {
    CHECK_EQ(mine[0].effective, 0);
    return 0;
  }
  CHECK(mine[0].effective & (1u << CAP_SETUID));

  IN_CHILD({  // leaving root loses all
    CHECK_OK(setresuid(5, 5, 5));
    CHECK_OK(Get(_LINUX_CAPABILITY_VERSION_3, 0));
    CHECK_EQ(data[0].effective | data[0].permitted, 0);
  });
  IN_CHILD({  // only the effective id: the effective set, which comes back
    CHECK_OK(setresuid(0, 5, 0));
    CHECK_OK(Get(_LINUX_CAPABILITY_VERSION_3, 0));
    CHECK_EQ(data[0].effective, 0);
    CHECK_EQ(data[0].permitted, mine[0].permitted);
    CHECK_OK(setresuid((uid_t)-1, 0, (uid_t)-1));
    CHECK_OK(Get(_LINUX_CAPABILITY_VERSION_3, 0));
    CHECK_EQ(data[0].effective, mine[0].permitted);
  });
  IN_CHILD({  // kept when asked for
    CHECK_OK(prctl(PR_SET_KEEPCAPS, 1));
    CHECK_EQ(prctl(PR_GET_KEEPCAPS), 1);
    CHECK_OK(setresuid(5, 5, 5));
    CHECK_OK(Get(_LINUX_CAPABILITY_VERSION_3, 0));
    CHECK_EQ(data[0].effective, 0);
    CHECK_EQ(data[0].permitted, mine[0].permitted);
    data[0].effective = data[0].permitted & (1u << CAP_SETUID);
    CHECK_OK(Set());
    CHECK_OK(setresuid(6, 6, 6));
  });
  // CAP_SETUID without root's id is enough to change ids; root's id without it is not.
  IN_CHILD({
    data[0] = mine[0];
    data[1] = mine[1];
    data[0].effective &= ~(1u << CAP_SETUID);
    CHECK_OK(Set());
    CHECK_ERR(setresuid(7, 7, 7), EPERM);
  });
  if (mine[0].effective & (1u << CAP_SETPCAP)) {
    IN_CHILD({
      CHECK_OK(prctl(PR_CAPBSET_DROP, CAP_SYS_TIME));
      CHECK_EQ(prctl(PR_CAPBSET_READ, CAP_SYS_TIME), 0);
      IN_CHILD(CHECK_EQ(prctl(PR_CAPBSET_READ, CAP_SYS_TIME), 0));
      CHECK_ERR(prctl(PR_CAPBSET_DROP, 1000), EINVAL);
    });
  }
  return 0;
}
