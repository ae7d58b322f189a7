// riscv_flush_icache(2): code that one thread writes is what all threads run.
#include "check.h"

#ifndef __riscv
int main(void) { SKIP("riscv64 only"); }
#else
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { kNumber = 259, kThreads = 3, kRounds = 400 };
static uint32_t* g_code;
static atomic_int g_round, g_ran;

// li a0, value; ret
static void Write(int value) {
  g_code[0] = 0x00000513 | (uint32_t)value << 20;
  g_code[1] = 0x00008067;
  __builtin___clear_cache((char*)g_code, (char*)(g_code + 2));
  CHECK_OK(syscall(kNumber, g_code, g_code + 2, 0ul));
}

static void* Runner(void* unused) {
  for (int seen = 0; seen < kRounds; seen++) {
    while (atomic_load(&g_round) == seen) sched_yield();
    CHECK_EQ(((int (*)(void))g_code)(), seen + 1);
    atomic_fetch_add(&g_ran, 1);
  }
  return unused;
}

int main(void) {
  g_code = (uint32_t*)CHECK_MAP(mmap(NULL, PageSize(), PROT_READ | PROT_WRITE | PROT_EXEC,
                                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  CHECK_OK(syscall(kNumber, g_code, g_code + 2, 1ul));  // this thread's only
  CHECK_ERR(syscall(kNumber, g_code, g_code + 2, 2ul), EINVAL);
  pthread_t threads[kThreads];
  for (int i = 0; i < kThreads; i++) pthread_create(&threads[i], NULL, Runner, NULL);
  for (int round = 1; round <= kRounds; round++) {
    Write(round);
    atomic_store(&g_ran, 0);
    atomic_store(&g_round, round);
    while (atomic_load(&g_ran) < kThreads) sched_yield();
  }
  for (int i = 0; i < kThreads; i++) pthread_join(threads[i], NULL);
  return 0;
}
#endif
