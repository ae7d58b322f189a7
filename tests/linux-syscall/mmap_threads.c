// Threads that map, touch, protect and unmap at the same time, while others fault and fork.
#include <pthread.h>

#include "check.h"

enum { kThreads = 4, kRounds = 150 };
static char* shared;
static volatile int failed;

static void* Body(void* argument) {
  size_t page = PageSize(), me = (size_t)(uintptr_t)argument;
  for (int i = 0; i < kRounds; i++) {
    size_t size = page * (size_t)(1 + i % 7);
    char* p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return failed = __LINE__, NULL;
    for (size_t at = 0; at < size; at += page) {
      if (p[at] != 0) failed = __LINE__;
      p[at] = (char)(me + 1);
    }
    if (mprotect(p, size, PROT_READ) != 0) failed = __LINE__;
    for (size_t at = 0; at < size; at += page)
      if (p[at] != (char)(me + 1)) failed = __LINE__;
    if (munmap(p, size) != 0) failed = __LINE__;
    __atomic_fetch_add(shared + me * 64, 1, __ATOMIC_SEQ_CST);
    if (i % 50 == 10 && me == 0) {
      pid_t pid = fork();
      if (pid == 0) _exit(shared[0] == 0);
      int status;
      if (waitpid(pid, &status, 0) != pid || status != 0) failed = __LINE__;
    }
  }
  return NULL;
}

int main(void) {
  shared =
      CHECK_MAP(mmap(NULL, PageSize(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  shared[0] = 1;
  pthread_t threads[kThreads];
  for (uintptr_t i = 0; i < kThreads; i++)
    CHECK_EQ(pthread_create(&threads[i], NULL, Body, (void*)i), 0);
  for (int i = 0; i < kThreads; i++) CHECK_EQ(pthread_join(threads[i], NULL), 0);
  if (failed) FAIL("a thread failed at line %d", failed);
  CHECK_EQ((unsigned char)shared[64], kRounds);
  return 0;
}
