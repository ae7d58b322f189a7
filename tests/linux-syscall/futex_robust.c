// Robust lists: a dead owner's words get FUTEX_OWNER_DIED and a waiter is woken;
// get_robust_list(2).
#include <linux/futex.h>

#include "proc.h"

struct Lock {
  struct robust_list node;
  uint32_t word;
};

static struct robust_list_head head;
static struct Lock* locks;  // shared

static void Prepare(bool with_pending) {
  head.list.next = &locks[0].node;
  locks[0].node.next = &locks[1].node;
  locks[1].node.next = &head.list;
  head.futex_offset = (long)offsetof(struct Lock, word) - (long)offsetof(struct Lock, node);
  head.list_op_pending = with_pending ? &locks[2].node : NULL;
  uint32_t tid = (uint32_t)Gettid();
  locks[0].word = tid;
  locks[1].word = tid | FUTEX_WAITERS;
  locks[2].word = tid;
  CHECK_OK(syscall(SYS_set_robust_list, &head, sizeof head));
}

static void CheckDead(void) {
  CHECK_EQ(locks[0].word, FUTEX_OWNER_DIED);
  CHECK_EQ(locks[1].word, FUTEX_OWNER_DIED | FUTEX_WAITERS);
  CHECK_EQ(locks[2].word, FUTEX_OWNER_DIED);
  locks[0].word = locks[1].word = locks[2].word = 0;
}

static void* DieHolding(void* arg) {
  Prepare(true);
  syscall(SYS_exit, 0);
  return arg;
}

static void* LockAndLeave(void* arg) {
  CHECK_EQ(pthread_mutex_lock(arg), 0);
  return NULL;
}

int main(int argc, char** argv) {
  if (argc == 2) return 0;
  locks = SharedPage();
  pthread_mutex_t mutex;
  pthread_mutexattr_t attr;
  pthread_mutexattr_init(&attr);
  pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
  CHECK_EQ(pthread_mutex_init(&mutex, &attr), 0);
  JoinThread(StartThread(LockAndLeave, &mutex));
  CHECK_EQ(pthread_mutex_lock(&mutex), EOWNERDEAD);
  CHECK_EQ(pthread_mutex_consistent(&mutex), 0);
  CHECK_EQ(pthread_mutex_unlock(&mutex), 0);

  CHECK_ERR(syscall(SYS_set_robust_list, &head, sizeof head - 1), EINVAL);
  void* got = NULL;
  size_t length = 0;
  CHECK_OK(syscall(SYS_set_robust_list, &head, sizeof head));
  CHECK_OK(syscall(SYS_get_robust_list, 0, &got, &length));
  CHECK(got == &head);
  CHECK_EQ(length, sizeof head);
  got = NULL;
  CHECK_OK(syscall(SYS_get_robust_list, Gettid(), &got, &length));
  CHECK(got == &head);
  CHECK_ERR(syscall(SYS_get_robust_list, 0x3fffffff, &got, &length), ESRCH);
  CHECK_ERR(syscall(SYS_get_robust_list, 0, BAD_POINTER, &length), EFAULT);
  head.list.next = &head.list;

  // Exit, kill, exec.
  IN_CHILD(Prepare(true));
  CheckDead();
  IN_CHILD_KILLED_BY(SIGKILL, {
    Prepare(true);
    raise(SIGKILL);
  });
  CheckDead();
  IN_CHILD({
    Prepare(true);
    execl("/proc/self/exe", argv[0], "again", NULL);
  });
  CheckDead();

  // A waiter in another process wakes.
  uint32_t* ready = (uint32_t*)(locks + 8);
  locks[0].word = locks[1].word = locks[2].word = 0;
  pid_t owner = Fork();
  if (owner == 0) {
    Prepare(false);
    locks[1].word = (uint32_t)Gettid() | FUTEX_WAITERS;
    __atomic_store_n(ready, 1, __ATOMIC_SEQ_CST);
    for (;;) pause();
  }
  CHECK(EVENTUALLY(__atomic_load_n(ready, __ATOMIC_SEQ_CST)));
  pid_t waiter = Fork();
  if (waiter == 0) {
    uint32_t value = __atomic_load_n(&locks[1].word, __ATOMIC_SEQ_CST);
    if (!(value & FUTEX_OWNER_DIED)) {
      long result = Futex(&locks[1].word, FUTEX_WAIT, value, NULL, NULL, 0);
      CHECK(result == 0 || errno == EAGAIN);
    }
    CHECK(__atomic_load_n(&locks[1].word, __ATOMIC_SEQ_CST) & FUTEX_OWNER_DIED);
    _exit(0);
  }
  LetBlock(waiter);
  CHECK_OK(kill(owner, SIGKILL));
  WAIT_SIGNAL(owner, SIGKILL);
  WAIT_EXIT(waiter, 0);

  // A word that is another's is left alone; a broken list does no harm.
  IN_CHILD({
    Prepare(false);
    locks[0].word = 1;
  });
  CHECK_EQ(locks[0].word, 1);
  IN_CHILD({
    Prepare(false);
    locks[0].node.next = &locks[0].node;  // a circle
  });
  IN_CHILD({
    Prepare(false);
    locks[0].node.next = BAD_POINTER;
  });
  IN_CHILD(CHECK_OK(syscall(SYS_set_robust_list, BAD_POINTER, sizeof head)));

  // A thread.
  locks[0].word = locks[1].word = locks[2].word = 0;
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, DieHolding, NULL), 0);
  CHECK(EVENTUALLY(__atomic_load_n(&locks[2].word, __ATOMIC_SEQ_CST) == FUTEX_OWNER_DIED));
  CheckDead();

  return 0;
}
