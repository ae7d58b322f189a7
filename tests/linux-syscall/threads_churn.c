// Threads made and ended in storms, joined or detached: numbers come back, memory does not pile up.
#include "proc.h"

static atomic_int finished;

static void* Quick(void* arg) {
  finished++;
  return arg;
}

static void* Nested(void* arg) {
  JoinThread(StartThread(Quick, arg));
  return arg;
}

int main(void) {
  for (int i = 0; i < 300; i++) {
    void* result;
    pthread_t thread = StartThread(Quick, &finished);
    CHECK_EQ(pthread_join(thread, &result), 0);
    CHECK(result == &finished);
  }
  CHECK_EQ(finished, 300);
  for (int round = 0; round < 15; round++) {
    pthread_t threads[16];
    for (int i = 0; i < 16; i++) threads[i] = StartThread(Nested, NULL);
    for (int i = 15; i >= 0; i--) JoinThread(threads[i]);
  }
  CHECK_EQ(finished, 300 + 15 * 16);
  finished = 0;
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attr, 64 * 1024);
  for (int i = 0; i < 400; i++) {
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, &attr, Quick, NULL), 0);
  }
  CHECK(EVENTUALLY(finished == 400));
  CHECK(EVENTUALLY(CountTasks() == 1));
  return 0;
}
