// Waiting on a word and then for a lock with an owner (FUTEX_WAIT_REQUEUE_PI,
// FUTEX_CMP_REQUEUE_PI): who is moved, what is refused, and signals, time limits and ends of waiter
// and owner meanwhile.
#include <linux/futex.h>

#include "proc.h"

static uint32_t word, lock;
static atomic_int tid, held, go_on;

static long WaitThenLock(const struct timespec* limit) {
  return Futex(&word, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, limit, &lock, 0);
}
static long Move(int wake, long move) {
  return Futex(&word, FUTEX_CMP_REQUEUE_PI_PRIVATE, (uint32_t)wake, (void*)move, &lock, 0);
}
static void Lock(void) { CHECK_OK(Futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0)); }
static void Unlock(void) { CHECK_OK(Futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0)); }
static uint32_t Owner(void) { return __atomic_load_n(&lock, __ATOMIC_SEQ_CST) & FUTEX_TID_MASK; }

static void* Waiter(void* unused) {
  (void)unused;
  tid = Gettid();
  CHECK_OK(WaitThenLock(NULL));
  CHECK_EQ(Owner(), (uint32_t)Gettid());
  held++;
  Unlock();
  return NULL;
}
static pthread_t StartWaiter(void* (*body)(void*)) {
  tid = 0;
  pthread_t thread = StartThread(body, NULL);
  CHECK(EVENTUALLY(tid != 0));
  AWAIT_STATE(tid, 'S');
  return thread;
}

// Several: the first gets the lock if it is free, or all wait for its holder.
static void TestMove(int is_held) {
  pthread_t threads[3];
  held = 0;
  if (is_held) Lock();
  for (int i = 0; i < 3; i++) threads[i] = StartWaiter(Waiter);
  CHECK_EQ(Move(1, 100), 3);
  if (is_held) {
    Nap(5);
    CHECK_EQ(held, 0);
    CHECK(__atomic_load_n(&lock, __ATOMIC_SEQ_CST) & FUTEX_WAITERS);
    Unlock();
  }
  for (int i = 0; i < 3; i++) JoinThread(threads[i]);
  CHECK_EQ(held, 3);
  CHECK_EQ(Owner(), 0);
}

static void TestRefusals(void) {
  CHECK_ERR(Futex(&word, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 1, NULL, &lock, 0), EAGAIN);
  CHECK_ERR(Futex(&word, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL, &word, 0), EINVAL);
  CHECK_ERR(Futex(&word, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void*)1, &lock, 7), EAGAIN);
  CHECK_ERR(Futex(&word, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void*)1, &word, 0), EINVAL);
  CHECK_ERR(Move(2, 1), EINVAL);  // one at most gets the lock
  CHECK_EQ(Move(1, 1), 0);
  CHECK_EQ(lock, 0);
  const struct timespec past = {1, 0};
  CHECK_ERR(WaitThenLock(&past), ETIMEDOUT);
  pthread_t waiter = StartWaiter(Waiter);  // neither woken nor moved otherwise
  CHECK_ERR(Futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), EINVAL);
  uint32_t other = 0;
  CHECK_ERR(Futex(&word, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void*)1, &other, 0), EINVAL);
  CHECK_EQ(Move(1, 0), 1);
  JoinThread(waiter);
}

static void OnSignal(int number) { (void)number; }
static void* Interrupted(void* unused) {
  (void)unused;
  tid = Gettid();
  CHECK_ERR(WaitThenLock(NULL), EAGAIN);  // moved: it cannot be begun again
  held++;
  return NULL;
}
static void* TimesOut(void* unused) {
  (void)unused;
  struct timespec limit;
  CHECK_OK(clock_gettime(CLOCK_MONOTONIC, &limit));
  limit.tv_sec += limit.tv_nsec / 700000000;
  limit.tv_nsec = (limit.tv_nsec + 300000000) % 1000000000;
  tid = Gettid();
  CHECK_ERR(WaitThenLock(&limit), ETIMEDOUT);
  return NULL;
}

static void TestInterruptions(void) {
  Handle(SIGUSR1, OnSignal, 0);
  held = 0;
  pthread_t waiter = StartWaiter(Waiter);  // before it is moved it waits on
  CHECK_EQ(pthread_kill(waiter, SIGUSR1), 0);
  Nap(5);
  AWAIT_STATE(tid, 'S');
  CHECK_EQ(Move(1, 0), 1);
  JoinThread(waiter);
  CHECK_EQ(held, 1);

  Lock();
  waiter = StartWaiter(Interrupted);
  CHECK_EQ(Move(1, 0), 1);
  CHECK_EQ(held, 1);
  CHECK_EQ(pthread_kill(waiter, SIGUSR1), 0);
  JoinThread(waiter);
  waiter = StartWaiter(TimesOut);
  (void)Move(1, 0);
  JoinThread(waiter);
  Unlock();
}

static void* HoldAndEnd(void* unused) {
  (void)unused;
  Lock();
  tid = Gettid();
  CHECK(EVENTUALLY(go_on));
  return NULL;
}
static void* TakesOver(void* unused) {
  (void)unused;
  tid = Gettid();
  CHECK_OK(WaitThenLock(NULL));
  CHECK_EQ(Owner(), (uint32_t)Gettid());
  CHECK(lock & FUTEX_OWNER_DIED);
  Unlock();
  return NULL;
}

int main(void) {
  errno = 0;
  if (Futex(&word, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void*)1, &lock, 0) == -1 && errno == ENOSYS)
    SKIP("no priority inheritance");
  TestRefusals();
  TestMove(0);
  TestMove(1);
  TestInterruptions();
  // The owner ends: who was moved has the lock.
  tid = 0;
  pthread_t owner = StartThread(HoldAndEnd, NULL);
  CHECK(EVENTUALLY(tid != 0));
  pthread_t waiter = StartWaiter(TakesOver);
  CHECK_EQ(Move(1, 0), 1);
  go_on = 1;
  JoinThread(owner);
  JoinThread(waiter);
  // A waiter that is killed leaves nothing behind.
  IN_CHILD({
    lock = 0;
    Lock();
    StartWaiter(Waiter);
    CHECK_EQ(Move(1, 0), 1);
  });
  return 0;
}
