// Sixty-four threads with thread-local storage, a barrier, mutexes and condition variables, all
// alive at once.
#include "proc.h"

enum { kThreads = 64, kRounds = 20 };

static _Thread_local int local_zero;
static _Thread_local int local_value = 1234;
static _Thread_local char local_big[5000];
static pthread_key_t key;
static atomic_int destroyed;
static pthread_barrier_t barrier;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long total;
static int turn;
static pid_t tids[kThreads];

static void Destroy(void* value) { destroyed += *(int*)value == 7; }

static void* Work(void* arg) {
  int index = (int)(intptr_t)arg;
  static int seven = 7;
  CHECK_EQ(local_zero, 0);
  CHECK_EQ(local_value, 1234);
  for (size_t i = 0; i < sizeof local_big; i++) CHECK_EQ(local_big[i], 0);
  local_zero = index;
  local_value = -index;
  memset(local_big, index, sizeof local_big);
  CHECK_EQ(pthread_setspecific(key, &seven), 0);
  tids[index] = Gettid();
  pthread_barrier_wait(&barrier);
  for (int i = 0; i < kThreads; i++)
    if (i != index) CHECK(tids[i] != tids[index]);
  for (int i = 0; i < kRounds * 10; i++) {
    pthread_mutex_lock(&mutex);
    total += index;
    pthread_mutex_unlock(&mutex);
  }
  pthread_barrier_wait(&barrier);
  // One after another, in order.
  pthread_mutex_lock(&mutex);
  while (turn != index) pthread_cond_wait(&changed, &mutex);
  turn++;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&mutex);
  CHECK_EQ(local_zero, index);
  CHECK_EQ(local_value, -index);
  CHECK_EQ(local_big[4999], (char)index);
  errno = index + 1;
  sched_yield();
  CHECK_EQ(errno, index + 1);
  return (void*)(intptr_t)(index * 3);
}

int main(void) {
  pthread_t threads[kThreads];
  CHECK_EQ(pthread_key_create(&key, Destroy), 0);
  CHECK_EQ(pthread_barrier_init(&barrier, NULL, kThreads + 1), 0);
  for (intptr_t i = 0; i < kThreads; i++) threads[i] = StartThread(Work, (void*)i);
  pthread_barrier_wait(&barrier);
  char text[4096];
  ReadText("/proc/self/status", text, sizeof text);
  CHECK(strstr(text, "\nThreads:\t65\n") != NULL);
  pthread_barrier_wait(&barrier);
  CHECK_EQ(total, (long)kThreads * (kThreads - 1) / 2 * kRounds * 10);
  for (int i = 0; i < kThreads; i++) {
    void* result;
    CHECK_EQ(pthread_join(threads[i], &result), 0);
    CHECK_EQ((intptr_t)result, i * 3);
  }
  CHECK_EQ(destroyed, kThreads);
  CHECK_EQ(local_zero, 0);
  CHECK_EQ(local_value, 1234);
  return 0;
}
