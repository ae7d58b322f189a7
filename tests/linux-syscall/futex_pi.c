// Priority-inheriting futexes: lock, unlock, trylock, time-outs, deadlock, a dead owner. Kernels
// may lack them.
#include <linux/futex.h>

#include "proc.h"

static uint32_t word;
static atomic_int order;

static void* Locker(void* arg) {
  CHECK_OK(Futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
  CHECK_EQ(word & FUTEX_TID_MASK, (uint32_t)Gettid());
  order++;
  CHECK_OK(Futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
  return arg;
}

static void* TryLock(void* arg) {
  CHECK_ERR(Futex(&word, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0), EAGAIN);
  CHECK_ERR(Futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), EPERM);
  struct timespec past = {1, 0};
  CHECK_ERR(Futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, &past, NULL, 0), ETIMEDOUT);
  return arg;
}

// Ends while it holds the lock, which is on no list: the waiters look for themselves.
static void* Abandon(void* arg) {
  CHECK_OK(Futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
  order = 1;
  CHECK(EVENTUALLY(__atomic_load_n(&word, __ATOMIC_SEQ_CST) & FUTEX_WAITERS));
  Nap(20);
  // As musl does for mutexes of one process.
  if (arg) __atomic_store_n(&word, FUTEX_OWNER_DIED, __ATOMIC_SEQ_CST);
  return NULL;
}

static void TestDeadOwner(void* resets) {
  word = 0;
  order = 0;
  pthread_t owner = StartThread(Abandon, resets);
  CHECK(EVENTUALLY(order == 1));
  CHECK_OK(Futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
  CHECK_EQ(word & FUTEX_TID_MASK, (uint32_t)Gettid());
  CHECK(word & FUTEX_OWNER_DIED);
  CHECK_OK(Futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
  JoinThread(owner);
}

int main(void) {
  errno = 0;
  if (Futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0) == -1 && errno == ENOSYS)
    SKIP("no priority inheritance");
  CHECK_EQ(word, (uint32_t)Gettid());
  CHECK_ERR(Futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), EDEADLK);
  JoinThread(StartThread(TryLock, NULL));
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) threads[i] = StartThread(Locker, NULL);
  CHECK(EVENTUALLY(__atomic_load_n(&word, __ATOMIC_SEQ_CST) & FUTEX_WAITERS));
  Nap(10);
  CHECK_EQ(order, 0);
  CHECK_OK(Futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
  for (int i = 0; i < 3; i++) JoinThread(threads[i]);
  CHECK_EQ(order, 3);
  CHECK_EQ(word & FUTEX_TID_MASK, 0);
  TestDeadOwner(NULL);
  TestDeadOwner(&word);
  word = 0x3ffffff;  // an owner that does not exist
  CHECK_ERR(Futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), ESRCH);

  pthread_mutexattr_t attr;
  pthread_mutex_t mutex;
  pthread_mutexattr_init(&attr);
  CHECK_EQ(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT), 0);
  CHECK_EQ(pthread_mutex_init(&mutex, &attr), 0);
  CHECK_EQ(pthread_mutex_lock(&mutex), 0);
  CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
  return 0;
}
