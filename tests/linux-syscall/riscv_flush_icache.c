// riscv_flush_icache(2): code that one thread writes is what all threads run.
#include "check.h"

#ifndef __riscv
int main(void) { SKIP("riscv64 only"); }
#else
#include <pthread.h>
#include <sched.h>
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

// The writer has a processor of its own. QEMU 7.2 can leave an address writable at full speed where
// one thread fetches from it while another processor translates what is there; writes from that
// processor would then not be seen as writes of code.
static void Pin(bool writer) {
  cpu_set_t set;
  CHECK_OK(sched_getaffinity(0, sizeof set, &set));
  if (CPU_COUNT(&set) == 1) return;
  int first = 0;
  while (!CPU_ISSET(first, &set)) first++;
  if (writer) {
    CPU_ZERO(&set);
    CPU_SET(first, &set);
  } else {
    CPU_CLR(first, &set);
  }
  CHECK_OK(sched_setaffinity(0, sizeof set, &set));
}

static void* Runner(void* unused) {
  Pin(false);
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
  Pin(true);
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
