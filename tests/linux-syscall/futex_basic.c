// futex(2): WAIT and WAKE, private and shared, counts, errors, time-outs, bit sets.
#include <linux/futex.h>

#include "proc.h"

static uint32_t word;
static atomic_int awake;

static void* Waiter(void* arg) {
  (void)arg;
  while (__atomic_load_n(&word, __ATOMIC_SEQ_CST) == 0) {
    long result = Futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    CHECK(result == 0 || errno == EAGAIN);
  }
  awake++;
  return NULL;
}

struct BitWaiter {
  uint32_t bits;
  atomic_int tid, done;
};
static uint32_t bit_word;
static void* WaitBits(void* arg) {
  struct BitWaiter* self = arg;
  self->tid = Gettid();
  CHECK_OK(Futex(&bit_word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, self->bits));
  self->done = 1;
  return NULL;
}

static void TestErrors(void) {
  struct timespec time = {0, -1};
  CHECK_ERR(Futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0), EAGAIN);
  CHECK_ERR(Futex(&word, FUTEX_WAIT, 0, &time, NULL, 0), EINVAL);
  time = (struct timespec){0, 1000000000};
  CHECK_ERR(Futex(&word, FUTEX_WAIT, 0, &time, NULL, 0), EINVAL);
  CHECK_ERR(Futex((char*)&word + 1, FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
  CHECK_ERR(Futex((char*)&word + 2, FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL);
  CHECK_ERR(Futex(BAD_POINTER, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
  CHECK_ERR(Futex(BAD_POINTER, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EFAULT);
  CHECK_ERR(Futex(&word, FUTEX_WAIT, 0, BAD_POINTER, NULL, 0), EFAULT);
  CHECK_ERR(Futex(&word, 99, 0, NULL, NULL, 0), ENOSYS);
  CHECK_ERR(Futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), EINVAL);  // no bits
  CHECK_ERR(Futex(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0), EINVAL);
  CHECK_EQ(Futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
  CHECK_EQ(Futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 0);
  // The wait reads, it never writes: read-only memory will do for a private one.
  uint32_t* constant =
      (uint32_t*)CHECK_MAP(mmap(NULL, PageSize(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  CHECK_ERR(Futex(constant, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0), EAGAIN);
}

static void TestTimes(void) {
  struct timespec time = {0, 15000000};
  int64_t start = NowNs(CLOCK_MONOTONIC);
  CHECK_ERR(Futex(&word, FUTEX_WAIT_PRIVATE, 0, &time, NULL, 0), ETIMEDOUT);
  CHECK(NowNs(CLOCK_MONOTONIC) - start >= 15000000);
  time = (struct timespec){0, 0};
  CHECK_ERR(Futex(&word, FUTEX_WAIT_PRIVATE, 0, &time, NULL, 0), ETIMEDOUT);
  // The bit-set form takes a point in time, of either clock.
  for (int i = 0; i < 2; i++) {
    clockid_t clock = i ? CLOCK_REALTIME : CLOCK_MONOTONIC;
    int op = FUTEX_WAIT_BITSET_PRIVATE | (i ? FUTEX_CLOCK_REALTIME : 0);
    CHECK_OK(clock_gettime(clock, &time));
    CHECK_ERR(Futex(&word, op, 0, &time, NULL, FUTEX_BITSET_MATCH_ANY), ETIMEDOUT);  // past
    start = NowNs(clock);
    int64_t end = start + 15000000;
    time = (struct timespec){end / 1000000000, end % 1000000000};
    CHECK_ERR(Futex(&word, op, 0, &time, NULL, FUTEX_BITSET_MATCH_ANY), ETIMEDOUT);
    CHECK(NowNs(clock) >= end);
  }
}

int main(void) {
  TestErrors();
  TestTimes();

  // Exactly as many wake as were asked for.
  pthread_t threads[6];
  for (int i = 0; i < 6; i++) threads[i] = StartThread(Waiter, NULL);
  long woken = 0;
  Nap(20);
  CHECK_EQ(awake, 0);
  __atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
  long one = Futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
  CHECK(one == 0 || one == 1);
  woken += one;
  woken += Futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
  CHECK(woken <= 6);
  for (int i = 0; i < 6; i++) JoinThread(threads[i]);
  CHECK_EQ(awake, 6);
  word = 0;

  // Bits choose whom to wake.
  struct BitWaiter waiters[3] = {{.bits = 1}, {.bits = 2}, {.bits = 4}};
  for (int i = 0; i < 3; i++) threads[i] = StartThread(WaitBits, &waiters[i]);
  CHECK(EVENTUALLY(Futex(&bit_word, FUTEX_WAKE_BITSET_PRIVATE, 9, NULL, NULL, 2) == 1));
  JoinThread(threads[1]);
  CHECK_EQ(waiters[0].done + waiters[2].done, 0);
  CHECK_EQ(Futex(&bit_word, FUTEX_WAKE_BITSET_PRIVATE, 9, NULL, NULL, 8), 0);
  CHECK(EVENTUALLY(Futex(&bit_word, FUTEX_WAKE_BITSET_PRIVATE, 9, NULL, NULL, 1) == 1));
  JoinThread(threads[0]);
  CHECK(EVENTUALLY(Futex(&bit_word, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0) == 1));  // any bits
  JoinThread(threads[2]);

  // Private and shared keys are different queues even at one address.
  waiters[0] = (struct BitWaiter){.bits = 1};
  threads[0] = StartThread(WaitBits, &waiters[0]);
  CHECK(EVENTUALLY(waiters[0].tid != 0));
  LetBlock(waiters[0].tid);
  CHECK_EQ(Futex(&bit_word, FUTEX_WAKE, 9, NULL, NULL, 0), 0);
  CHECK(EVENTUALLY(Futex(&bit_word, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0) == 1));
  JoinThread(threads[0]);
  return 0;
}
