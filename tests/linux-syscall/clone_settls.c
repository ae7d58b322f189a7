// CLONE_SETTLS gives the new thread its thread pointer; fork copies the caller's.
#include "proc.h"

#if defined(__x86_64__)
#include <asm/prctl.h>
static void* ThreadPointer(void) {
  void* pointer;
  __asm__("mov %%fs:0, %0" : "=r"(pointer));
  return pointer;
}
#elif defined(__riscv)
static void* ThreadPointer(void) {
  void* pointer;
  __asm__("mv %0, tp" : "=r"(pointer));
  return pointer;
}
#else
#error "teach this test the processor's thread pointer"
#endif

static char stack[64 * 1024] __attribute__((aligned(16)));
// Room before and after the thread pointer: C libraries keep errno and the stack guard's value
// there.
static char area[8192] __attribute__((aligned(64)));
static void* volatile seen;
static volatile int done;

static int Thread(void* arg) {
  seen = ThreadPointer();
  *(volatile int*)arg = 1;
  syscall(SYS_exit, 0);
  return 0;
}

int main(void) {
  void* mine = ThreadPointer();
  void* tls = area + 4096;
  memcpy(tls, mine, 704);  // a copy of this thread's control block serves the few lines above
  *(void**)tls = tls;
  CHECK_OK(clone(Thread, stack + sizeof stack,
                 CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SETTLS,
                 (void*)&done, NULL, tls, NULL));
  while (!done) sched_yield();
  CHECK(seen == tls);
  CHECK(ThreadPointer() == mine);
  IN_CHILD(CHECK(ThreadPointer() == mine));

#ifdef __x86_64__
  unsigned long base = 0, before;
  CHECK_OK(syscall(SYS_arch_prctl, ARCH_GET_FS, &before));
  CHECK(before == (unsigned long)mine);
  CHECK_ERR(syscall(SYS_arch_prctl, ARCH_GET_FS, BAD_POINTER), EFAULT);
  CHECK_ERR(syscall(SYS_arch_prctl, ARCH_SET_FS, 0x8000000000000000), EPERM);
  CHECK_ERR(syscall(SYS_arch_prctl, ARCH_SET_GS, 0xffff800000000000), EPERM);
  CHECK_ERR(syscall(SYS_arch_prctl, 0x99, 0), EINVAL);
  // GS belongs to programs: it keeps its base through calls, and fork copies it.
  CHECK_OK(syscall(SYS_arch_prctl, ARCH_SET_GS, area));
  CHECK_OK(syscall(SYS_arch_prctl, ARCH_GET_GS, &base));
  CHECK(base == (unsigned long)area);
  area[8] = 'g';
  for (int i = 0; i < 3; i++) {
    char byte;
    __asm__ volatile("movb %%gs:8, %0" : "=r"(byte));
    CHECK_EQ(byte, 'g');
    getppid();
    sched_yield();
  }
  IN_CHILD({
    char byte;
    __asm__ volatile("movb %%gs:8, %0" : "=r"(byte));
    CHECK_EQ(byte, 'g');
  });
#endif
  return 0;
}
