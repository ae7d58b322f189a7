// A futex wakes the waiter of the highest priority first, equals in the order in which they came;
// moved waiters stand in the other queue as if they had come there; semaphores do the same.
#include <linux/futex.h>
#include <sched.h>
#include <semaphore.h>

#include "proc.h"

enum { kCount = 5 };
static const int priorities[kCount] = {0, 10, 40, 10, 0};
static const int expected[kCount] = {2, 1, 3, 0, 4};

static uint32_t word, other;
static sem_t semaphore;
static int on_semaphore;
static atomic_int tid, woken;
static int order[kCount];

static void* Waiter(void* arg) {
  int index = (int)(long)arg;
  if (priorities[index]) {
    const struct sched_param param = {.sched_priority = priorities[index]};
    CHECK_OK(sched_setscheduler(0, SCHED_FIFO, &param));
  }
  tid = Gettid();
  if (on_semaphore) {
    CHECK_OK(sem_wait(&semaphore));
  } else {
    CHECK_OK(Futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0));
  }
  order[woken] = index;
  woken++;
  return NULL;
}

// |wake| wakes one.
static void TestOrder(void (*prepare)(void), void (*wake)(void)) {
  pthread_t threads[kCount];
  woken = 0;
  for (int i = 0; i < kCount; i++) {
    tid = 0;
    threads[i] = StartThread(Waiter, (void*)(long)i);
    CHECK(EVENTUALLY(tid != 0));
    AWAIT_STATE(tid, 'S');
  }
  if (prepare) prepare();
  for (int i = 0; i < kCount; i++) {
    wake();
    CHECK(EVENTUALLY(woken == i + 1));
    CHECK_EQ(order[i], expected[i]);
  }
  for (int i = 0; i < kCount; i++) JoinThread(threads[i]);
}

static void Wake(void) { CHECK_EQ(Futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 1); }
static void WakeOther(void) { CHECK_EQ(Futex(&other, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 1); }
static void Move(void) {
  CHECK_EQ(Futex(&word, FUTEX_REQUEUE_PRIVATE, 0, (void*)(long)kCount, &other, 0), kCount);
}
static void Post(void) { CHECK_OK(sem_post(&semaphore)); }

int main(void) {
  const struct sched_param param = {.sched_priority = 1};
  pid_t pid = Fork();
  if (pid == 0) _exit(sched_setscheduler(0, SCHED_FIFO, &param) != 0);
  if (WAIT_STATUS(pid) != 0) SKIP("no real-time policies");
  TestOrder(NULL, Wake);
  TestOrder(Move, WakeOther);
  on_semaphore = 1;
  CHECK_OK(sem_init(&semaphore, 0, 0));
  TestOrder(NULL, Post);
  return 0;
}
