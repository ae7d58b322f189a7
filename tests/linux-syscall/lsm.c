// lsm_list_modules(2), lsm_get_self_attr(2), lsm_set_self_attr(2).
#include "check.h"

enum { kGet = 459, kSet = 460, kList = 461 };  // the same number everywhere
enum { kCapability = 100, kCurrent = 100, kSingle = 1 };

int main(void) {
  uint64_t ids[64] = {0};
  uint32_t size = sizeof ids;
  errno = 0;
  long count = syscall(kList, ids, &size, 0);
  if (count == -1 && errno == ENOSYS) SKIP("no security modules");
  CHECK(count >= 1);
  CHECK_EQ(size, (uint32_t)count * 8);
  bool found = false;
  for (long i = 0; i < count; i++) found |= ids[i] == kCapability;
  CHECK(found);
  size = 4;
  CHECK_ERR(syscall(kList, ids, &size, 0), E2BIG);
  CHECK_EQ(size, (uint32_t)count * 8);
  CHECK_ERR(syscall(kList, ids, &size, 1), EINVAL);
  CHECK_ERR(syscall(kList, ids, NULL, 0), EFAULT);
  CHECK_ERR(syscall(kList, NULL, &size, 0), EFAULT);

  uint64_t context[4] = {kCapability, 0, sizeof context, 0};
  size = sizeof context;
  CHECK_ERR(syscall(kGet, 0, context, &size, 0), EINVAL);
  CHECK_ERR(syscall(kGet, kCurrent, context, NULL, 0), EINVAL);
  CHECK_ERR(syscall(kGet, kCurrent, context, &size, 2), EINVAL);
  CHECK_ERR(syscall(kGet, kCurrent, NULL, &size, kSingle), EINVAL);
  CHECK_ERR(syscall(kGet, kCurrent, context, 8, 0), EFAULT);
  CHECK_ERR(syscall(kGet, kCurrent, context, &size, kSingle),
            EOPNOTSUPP);  // capabilities have none
  CHECK_EQ(size, 0);

  CHECK_ERR(syscall(kSet, kCurrent, context, sizeof context, 1), EINVAL);
  CHECK_ERR(syscall(kSet, kCurrent, context, sizeof context - 1, 0), EINVAL);
  CHECK_ERR(syscall(kSet, kCurrent, context, PageSize() + 1, 0), E2BIG);
  CHECK_ERR(syscall(kSet, kCurrent, 8, sizeof context, 0), EFAULT);
  CHECK_ERR(syscall(kSet, kCurrent, context, sizeof context, 0), EOPNOTSUPP);
  context[3] = 1;  // more text than there is room for
  CHECK_ERR(syscall(kSet, kCurrent, context, sizeof context, 0), EINVAL);
  return 0;
}
