// futex_wait(2), futex_wake(2) and futex_requeue(2): a call for each operation, flags for the word.
#include <linux/futex.h>

#include "proc.h"

enum { kWake = 454, kWait = 455, kRequeue = 456 };  // the same number everywhere
enum { kSize8 = 0, kSize32 = 2, kSize64 = 3, kNuma = 4, kPrivate = 128 };  // FUTEX2_*

struct waitv {
  uint64_t value, address;
  uint32_t flags, reserved;
};

static uint32_t words[2];
static atomic_int awake;

static long FutexWake(void* word, unsigned long mask, int count, unsigned flags) {
  return syscall(kWake, word, mask, count, flags);
}
static long FutexWait(void* word, unsigned long value, unsigned long mask, unsigned flags,
                      const struct timespec* timeout, int clock) {
  return syscall(kWait, word, value, mask, flags, timeout, clock);
}
static long FutexRequeue(const struct waitv* pair, unsigned flags, int wake, int move) {
  return syscall(kRequeue, pair, flags, wake, move);
}

static void* Sleep(void* mask) {
  CHECK_OK(FutexWait(&words[0], 0, (uintptr_t)mask, kSize32 | kPrivate, NULL, 0));
  atomic_fetch_add(&awake, 1);
  return NULL;
}

static void Arguments(void) {
  const unsigned good = kSize32 | kPrivate;
  struct timespec past = {0, 1}, odd = {0, 1000000000};
  CHECK_ERR(FutexWait(&words[0], 1, 1, good, NULL, 0), EAGAIN);
  CHECK_ERR(FutexWait(&words[0], 0, 1, good, &past, CLOCK_MONOTONIC), ETIMEDOUT);
  CHECK_ERR(FutexWait(&words[0], 0, 1, good, &past, CLOCK_REALTIME), ETIMEDOUT);
  CHECK_ERR(FutexWait(&words[0], 0, 1, good, &past, CLOCK_TAI), EINVAL);
  CHECK_ERR(FutexWait(&words[0], 1, 1, good, NULL, CLOCK_TAI), EAGAIN);  // not looked at
  CHECK_ERR(FutexWait(&words[0], 0, 1, good, &odd, CLOCK_MONOTONIC), EINVAL);
  CHECK_ERR(FutexWait(&words[0], 0, 1, good, BAD_POINTER, CLOCK_MONOTONIC), EFAULT);
  CHECK_ERR(FutexWait(&words[0], 0, 0, good, NULL, 0), EINVAL);
  CHECK_ERR(FutexWait(&words[0], 1ul << 32, 1, good, NULL, 0), EINVAL);
  CHECK_ERR(FutexWait(&words[0], 0, 1ul << 32, good, NULL, 0), EINVAL);
  CHECK_ERR(FutexWait(&words[0], 0, 1, kSize8 | kPrivate, NULL, 0), EINVAL);
  CHECK_ERR(FutexWait(&words[0], 0, 1, kSize64 | kPrivate, NULL, 0), EINVAL);
  CHECK_ERR(FutexWait(&words[0], 0, 1, good | 64, NULL, 0), EINVAL);
  CHECK_ERR(FutexWait((char*)words + 1, 0, 1, good, NULL, 0), EINVAL);
  CHECK_ERR(FutexWait(BAD_POINTER, 0, 1, good, NULL, 0), EFAULT);
  CHECK_EQ(FutexWake(&words[0], 1, 1, good), 0);
  CHECK_ERR(FutexWake(&words[0], 0, 1, good), EINVAL);
  CHECK_ERR(FutexWake(&words[0], 1ul << 32, 1, good), EINVAL);
  CHECK_ERR(FutexWake(&words[0], 1, 1, kPrivate), EINVAL);
  CHECK_ERR(FutexWake((char*)words + 1, 1, 0, good), EINVAL);
  struct waitv pair[2] = {{0, (uintptr_t)&words[0], good, 0}, {0, (uintptr_t)&words[1], good, 0}};
  CHECK_EQ(FutexRequeue(pair, 0, 1, 1), 0);
  CHECK_ERR(FutexRequeue(pair, 1, 1, 1), EINVAL);
  CHECK_ERR(FutexRequeue(NULL, 0, 1, 1), EINVAL);
  CHECK_ERR(FutexRequeue(BAD_POINTER, 0, 1, 1), EFAULT);
  CHECK_ERR(FutexRequeue(pair, 0, -1, 1), EINVAL);
  pair[1].flags = kSize32;  // both words have the same
  CHECK_ERR(FutexRequeue(pair, 0, 1, 1), EINVAL);
  pair[1].flags = good;
  pair[1].reserved = 1;
  CHECK_ERR(FutexRequeue(pair, 0, 1, 1), EINVAL);
  pair[1].reserved = 0;
  pair[0].value = 1;
  CHECK_ERR(FutexRequeue(pair, 0, 1, 1), EAGAIN);
}

// Nobody is woken by a count of 0 or by a mask that is not theirs.
static void WakeByMask(void) {
  pthread_t one = StartThread(Sleep, (void*)1), two = StartThread(Sleep, (void*)2);
  CHECK(EVENTUALLY(FutexWake(&words[0], 2, 1, kSize32 | kPrivate) == 1));
  JoinThread(two);
  CHECK_EQ(FutexWake(&words[0], 2, 9, kSize32 | kPrivate), 0);
  CHECK_EQ(FutexWake(&words[0], 3, 0, kSize32 | kPrivate), 0);
  CHECK(EVENTUALLY(FutexWake(&words[0], 3, 9, kSize32 | kPrivate) == 1));
  JoinThread(one);
  CHECK_EQ(atomic_load(&awake), 2);
}

// Shared words, by processes that have nothing else in common.
static void RequeueShared(void) {
  uint32_t* shared = (uint32_t*)CHECK_MAP(
      mmap(NULL, PageSize(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  pid_t children[3];
  for (int i = 0; i < 3; i++) {
    children[i] = CHECK_OK(fork());
    if (children[i] == 0) _exit(FutexWait(&shared[0], 0, 1, kSize32, NULL, 0) == 0 ? 0 : 1);
  }
  struct waitv pair[2] = {{0, (uintptr_t)&shared[0], kSize32, 0},
                          {0, (uintptr_t)&shared[1], kSize32, 0}};
  int moved = 0;
  CHECK(EVENTUALLY((moved += (int)CHECK_OK(FutexRequeue(pair, 0, 0, 1))) == 3));
  CHECK_EQ(FutexWake(&shared[1], 1, 9, kSize32 | kPrivate), 0);
  CHECK_EQ(FutexWake(&shared[0], 1, 9, kSize32), 0);
  CHECK_EQ(FutexWake(&shared[1], 1, 1, kSize32), 1);
  CHECK_EQ(FutexWake(&shared[1], 1, 9, kSize32), 2);
  for (int i = 0; i < 3; i++) {
    int status;
    CHECK_EQ(waitpid(children[i], &status, 0), children[i]);
    CHECK_EQ(status, 0);
  }
}

int main(void) {
  errno = 0;
  if (FutexWake(&words[0], 1, 1, kSize32) == -1 && errno == ENOSYS) SKIP("no futex2");
  Arguments();
  WakeByMask();
  RequeueShared();
  return 0;
}
