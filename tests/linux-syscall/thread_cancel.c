// Cancelling threads: signals sent with tgkill that interrupt blocking calls, clean-up handlers,
// joining.
#include "proc.h"

static int ends[2];
static atomic_int cleaned, started;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;

static void CleanUp(void* arg) { cleaned += *(int*)arg; }

static void* BlockedRead(void* arg) {
  char byte;
  pthread_cleanup_push(CleanUp, arg);
  started++;
  CHECK_EQ(read(ends[0], &byte, 1), -2);
  pthread_cleanup_pop(0);
  return NULL;
}

static void Unlock(void* arg) { pthread_mutex_unlock(arg); }
static void* BlockedCondition(void* arg) {
  pthread_mutex_lock(&mutex);
  pthread_cleanup_push(Unlock, &mutex);
  pthread_cleanup_push(CleanUp, arg);
  started++;
  for (;;) pthread_cond_wait(&never, &mutex);
  pthread_cleanup_pop(0);
  pthread_cleanup_pop(0);
  return NULL;
}

static void* Spinning(void* arg) {
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
  pthread_cleanup_push(CleanUp, arg);
  started++;
  for (;;) {
  }
  pthread_cleanup_pop(0);
  return NULL;
}

static void* Disabled(void* arg) {
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
  started++;
  struct timespec time = {0, 30000000};
  CHECK_OK(nanosleep(&time, NULL));
  return arg;
}

int main(void) {
  CHECK_OK(pipe(ends));
  void* (*bodies[])(void*) = {BlockedRead, BlockedCondition, Spinning};
  int one = 1;
  for (int round = 0; round < 10; round++)
    for (size_t i = 0; i < 3; i++) {
      started = 0;
      pthread_t thread = StartThread(bodies[i], &one);
      CHECK(EVENTUALLY(started));
      if (round % 2) Nap(2);
      CHECK_EQ(pthread_cancel(thread), 0);
      void* result;
      CHECK_EQ(pthread_join(thread, &result), 0);
      CHECK(result == PTHREAD_CANCELED);
    }
  CHECK_EQ(cleaned, 30);
  CHECK_EQ(pthread_mutex_trylock(&mutex), 0);
  started = 0;
  pthread_t thread = StartThread(Disabled, &one);
  CHECK(EVENTUALLY(started));
  CHECK_EQ(pthread_cancel(thread), 0);
  void* result;
  CHECK_EQ(pthread_join(thread, &result), 0);
  CHECK(result == &one);
  return 0;
}
