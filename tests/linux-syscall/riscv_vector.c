// Vector registers: each thread has its own, whoever else uses them; signal frames hold them.
#include "check.h"

#ifndef __riscv
int main(void) { SKIP("riscv64 only"); }
#else
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <ucontext.h>

enum { kThreads = 6, kMostBytes = 128 };

// v1, v9, v17 and v31 full of |byte|, with a vector length and type of their own.
__attribute__((naked, noinline)) static void Fill(int byte __attribute__((unused))) {
  __asm__(
      ".option push\n.option arch, +v\n"
      "vsetvli t0, x0, e8, m1, ta, ma\n"
      "vmv.v.x v1, a0\nvmv.v.x v9, a0\nvmv.v.x v17, a0\nvmv.v.x v31, a0\n"
      "li t0, 3\nvsetvli x0, t0, e16, m2, ta, ma\n"
      "ret\n.option pop\n");
}

// Stores them, and returns the vector length; without a system call in between nothing may change.
__attribute__((naked, noinline)) static long Store(unsigned char (*out)[kMostBytes]
                                                   __attribute__((unused))) {
  __asm__(
      ".option push\n.option arch, +v\n"
      "csrr t1, vl\n"
      "vs1r.v v1, (a0)\naddi a0, a0, 128\nvs1r.v v9, (a0)\naddi a0, a0, 128\n"
      "vs1r.v v17, (a0)\naddi a0, a0, 128\nvs1r.v v31, (a0)\n"
      "mv a0, t1\nret\n.option pop\n");
}

__attribute__((naked, noinline)) static long VectorBytes(void) { __asm__("csrr a0, 0xc22\nret\n"); }

static void Spin(long rounds) {
  for (long i = 0; i < rounds; i++) __asm__ volatile("" : : : "memory");
}

static void CheckFilled(int byte) {
  unsigned char got[4][kMostBytes];
  memset(got, ~byte, sizeof got);
  CHECK_EQ(Store(got), 3);
  for (int i = 0; i < 4; i++) {
    for (long j = 0; j < VectorBytes(); j++) CHECK_EQ(got[i][j], byte & 0xff);
  }
}

static void* Keep(void* argument) {
  const int byte = (int)(intptr_t)argument;
  for (int round = 0; round < 30; round++) {
    Fill(byte + round);
    Spin(2000000);  // others run meanwhile
    CheckFilled(byte + round);
    sched_yield();
  }
  return NULL;
}

static volatile int g_handled, g_fork, g_child;

// An instruction raises it, so that no system call lies between filling and looking; the handler
// passes over that.
static void OnTrap(int signo, siginfo_t* info, void* context) {
  (void)signo;
  (void)info;
  ucontext_t* state = context;
  state->uc_mcontext.__gregs[0] += 4;
  // Behind the float state: a record with the registers.
  unsigned char* record = (unsigned char*)&state->uc_mcontext + 32 * 8 + 520;
  uint32_t magic;
  uint64_t data;
  memcpy(&magic, record, sizeof magic);
  memcpy(&data, record + 8 + 40, sizeof data);
  CHECK_EQ(magic, 0x53465457);
  CHECK_EQ(data, (uintptr_t)record + 56);
  CHECK_EQ(*(unsigned char*)(data + (uint64_t)VectorBytes()), 0x42);  // v1
  memset((void*)(data + 9 * (uint64_t)VectorBytes()), 0x43, (size_t)VectorBytes());
  g_handled++;
  if (g_fork) g_child = fork();
  Fill(0x77);
}

__attribute__((naked, noinline)) static void Trap(void) {
  __asm__(".option push\n.option norvc\nebreak\n.option pop\nret\n");
}

int main(void) {
  if (!(getauxval(AT_HWCAP) >> ('v' - 'a') & 1)) SKIP("the processor has no vector registers");
  CHECK(VectorBytes() <= kMostBytes);
  pthread_t threads[kThreads];
  for (intptr_t i = 0; i < kThreads; i++)
    pthread_create(&threads[i], NULL, Keep, (void*)(i * 40 + 1));
  for (int i = 0; i < kThreads; i++) pthread_join(threads[i], NULL);

  struct sigaction action = {.sa_sigaction = OnTrap, .sa_flags = SA_SIGINFO};
  CHECK_OK(sigaction(SIGTRAP, &action, NULL));
  unsigned char got[4][kMostBytes];
  Fill(0x42);
  Trap();
  const long length = Store(got);
  CHECK_EQ(g_handled, 1);
  CHECK_EQ(length, 3);
  for (long i = 0; i < VectorBytes(); i++) {
    CHECK_EQ(got[0][i], 0x42);
    CHECK_EQ(got[1][i], 0x43);  // what the handler has changed
    CHECK_EQ(got[3][i], 0x42);
  }
  // A child that was forked in the handler returns from it: to its parent's registers.
  g_fork = 1;
  Fill(0x42);
  Trap();
  Store(got);
  for (long i = 0; i < VectorBytes(); i++) {
    CHECK_EQ(got[0][i], 0x42);
    CHECK_EQ(got[1][i], 0x43);
  }
  if (g_child == 0) _exit(0);
  CHECK(g_child > 0);
  int status;
  CHECK_EQ(waitpid(g_child, &status, 0), g_child);
  CHECK_EQ(status, 0);
  // A child may use them too, and does not find its parent's neighbours' bytes.
  IN_CHILD(Fill(0x11); CheckFilled(0x11));
  return 0;
}
#endif
