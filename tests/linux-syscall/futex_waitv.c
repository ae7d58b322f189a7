// futex_waitv(2): waiting for one of several.
#include <linux/futex.h>

#include "proc.h"

#ifndef FUTEX_32
#define FUTEX_32 2
struct futex_waitv {
  uint64_t val, uaddr;
  uint32_t flags, __reserved;
};
#endif

static uint32_t words[4];

static void* Wake(void* arg) {
  CHECK(EVENTUALLY(Futex(&words[2], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 1));
  return arg;
}

static long Waitv(const void* list, unsigned count, unsigned flags, const void* time, int clock) {
  return syscall(SYS_futex_waitv, list, count, flags, time, clock);
}

int main(void) {
  struct futex_waitv list[4];
  memset(list, 0, sizeof list);
  for (int i = 0; i < 4; i++) {
    list[i].uaddr = (uintptr_t)&words[i];
    list[i].flags = FUTEX_32 | FUTEX_PRIVATE_FLAG;
  }
  errno = 0;
  if (Waitv(NULL, 0, 0, NULL, 0) == -1 && errno == ENOSYS) SKIP("no futex_waitv");
  CHECK_ERR(Waitv(list, 0, 0, NULL, 0), EINVAL);
  CHECK_ERR(Waitv(list, 129, 0, NULL, 0), EINVAL);
  CHECK_ERR(Waitv(list, 4, 1, NULL, 0), EINVAL);
  CHECK_ERR(Waitv(BAD_POINTER, 4, 0, NULL, 0), EFAULT);
  struct timespec past;
  CHECK_OK(clock_gettime(CLOCK_MONOTONIC, &past));
  CHECK_ERR(Waitv(list, 4, 0, &past, CLOCK_MONOTONIC), ETIMEDOUT);
  CHECK_ERR(Waitv(list, 4, 0, &past, CLOCK_TAI), EINVAL);
  words[3] = 1;
  CHECK_ERR(Waitv(list, 4, 0, NULL, 0), EAGAIN);
  words[3] = 0;
  list[1].flags = 0x40;
  CHECK_ERR(Waitv(list, 4, 0, NULL, 0), EINVAL);
  list[1].flags = FUTEX_32 | FUTEX_PRIVATE_FLAG;
  pthread_t thread = StartThread(Wake, NULL);
  CHECK_EQ(Waitv(list, 4, 0, NULL, 0), 2);  // the index of the one woken
  JoinThread(thread);
  CHECK_EQ(Futex(&words[0], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0),
           0);  // no longer waiting anywhere
  return 0;
}
