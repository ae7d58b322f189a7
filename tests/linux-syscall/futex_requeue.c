// FUTEX_REQUEUE, FUTEX_CMP_REQUEUE and FUTEX_WAKE_OP.
#include <linux/futex.h>

#include "proc.h"

static uint32_t from, to;
static atomic_int awake;

static void* Wait(void* arg) {
  uint32_t* word = arg;
  CHECK_OK(Futex(word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0));
  awake++;
  return NULL;
}

static long Requeue(int op, int wake, int move, uint32_t value) {
  return Futex(&from, op, (uint32_t)wake, (void*)(intptr_t)move, &to, value);
}

// They are surely asleep when moving them to where they are has counted all.
static void StartWaiters(pthread_t* threads, int count, uint32_t* word) {
  for (int i = 0; i < count; i++) threads[i] = StartThread(Wait, word);
  CHECK(
      EVENTUALLY(Futex(word, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void*)(intptr_t)10, word, 0) == count));
}

int main(void) {
  pthread_t threads[5];
  StartWaiters(threads, 5, &from);
  CHECK_ERR(Requeue(FUTEX_CMP_REQUEUE_PRIVATE, 1, 2, 77), EAGAIN);
  CHECK_EQ(Requeue(FUTEX_CMP_REQUEUE_PRIVATE, 1, 2, 0), 3);  // woken plus moved
  CHECK(EVENTUALLY(awake == 1));
  CHECK_EQ(Futex(&to, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 2);
  CHECK(EVENTUALLY(awake == 3));
  CHECK_EQ(Requeue(FUTEX_REQUEUE_PRIVATE, 0, 10, 0), 2);  // the moved count here too
  CHECK_EQ(Futex(&from, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 0);
  CHECK_EQ(Futex(&to, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 2);
  for (int i = 0; i < 5; i++) JoinThread(threads[i]);
  CHECK_ERR(Requeue(FUTEX_CMP_REQUEUE_PRIVATE, -1, 1, 0), EINVAL);
  CHECK_ERR(Requeue(FUTEX_CMP_REQUEUE_PRIVATE, 1, -1, 0), EINVAL);
  CHECK_ERR(Futex(&from, FUTEX_CMP_REQUEUE, 1, NULL, BAD_POINTER, 0), EFAULT);
  CHECK_ERR(Futex(&from, FUTEX_CMP_REQUEUE, 1, NULL, (char*)&to + 1, 0), EINVAL);

  // WAKE_OP: changes the second word, wakes on the first, and on the second when its old value
  // compares.
  to = 5;
  CHECK_EQ(Futex(&from, FUTEX_WAKE_OP_PRIVATE, 1, (void*)1, &to,
                 FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5)),
           0);
  CHECK_EQ(to, 8);
  Futex(&from, FUTEX_WAKE_OP_PRIVATE, 1, (void*)1, &to,
        FUTEX_OP(FUTEX_OP_SET, 12, FUTEX_OP_CMP_EQ, 5));
  CHECK_EQ(to, 12);
  Futex(&from, FUTEX_WAKE_OP_PRIVATE, 1, (void*)1, &to,
        FUTEX_OP(FUTEX_OP_OR, 3, FUTEX_OP_CMP_EQ, 5));
  CHECK_EQ(to, 15);
  Futex(&from, FUTEX_WAKE_OP_PRIVATE, 1, (void*)1, &to,
        FUTEX_OP(FUTEX_OP_ANDN, 5, FUTEX_OP_CMP_EQ, 5));
  CHECK_EQ(to, 10);
  Futex(&from, FUTEX_WAKE_OP_PRIVATE, 1, (void*)1, &to,
        FUTEX_OP(FUTEX_OP_XOR, 6, FUTEX_OP_CMP_EQ, 5));
  CHECK_EQ(to, 12);
  Futex(&from, FUTEX_WAKE_OP_PRIVATE, 1, (void*)1, &to,
        FUTEX_OP((FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT), 8, FUTEX_OP_CMP_EQ, 5));
  CHECK_EQ(to, 12 | 256);
  CHECK_ERR(
      Futex(&from, FUTEX_WAKE_OP_PRIVATE, 1, (void*)1, &to, FUTEX_OP(7, 3, FUTEX_OP_CMP_EQ, 5)),
      ENOSYS);
  CHECK_ERR(Futex(&from, FUTEX_WAKE_OP, 1, (void*)1, BAD_POINTER, FUTEX_OP(FUTEX_OP_SET, 3, 0, 5)),
            EFAULT);

  to = 0;
  awake = 0;
  StartWaiters(threads, 2, &from);
  StartWaiters(threads + 2, 1, &to);
  // The comparison fails: only the first word's waiters wake.
  CHECK_EQ(Futex(&from, FUTEX_WAKE_OP_PRIVATE, 1, (void*)5, &to,
                 FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_GT, 0)),
           1);
  CHECK_EQ(Futex(&from, FUTEX_WAKE_OP_PRIVATE, 5, (void*)5, &to,
                 FUTEX_OP(FUTEX_OP_SET, 0, FUTEX_OP_CMP_GE, 1)),
           2);
  for (int i = 0; i < 3; i++) JoinThread(threads[i]);
  CHECK_EQ(awake, 3);
  return 0;
}
