// Signals change no register of the interrupted code: handlers that use the vector unit,
// preemption, many threads.
#include "registers.h"

#ifndef __x86_64__
int main(void) { SKIP("x86-64 only"); }
#else
static volatile sig_atomic_t count;
static _Thread_local volatile int hits;

static void Scribble(int number) {
  struct VectorState junk;
  MakeState(&junk, (unsigned)number + 91);
  long unused = 0;
  struct VectorState out;
  THROUGH_REGISTERS(&junk, &out, "", "+a"(unused));
  // A handler starts with the default modes, whatever the interrupted code had set.
  hits++;
  count++;
}

static void CheckDefaults(int number) {
  uint32_t mxcsr;
  uint16_t control;
  __asm__ volatile("stmxcsr %0\n fnstcw %1" : "=m"(mxcsr), "=m"(control));
  CHECK_EQ(mxcsr & 0xffc0, 0x1f80);
  CHECK_EQ(control, 0x037f);
  Scribble(number);
}

// Spins with the state in the registers while signals arrive.
static void Spin(unsigned seed, long rounds) {
  struct VectorState in, out;
  MakeState(&in, seed);
  memset(&out, 0, sizeof out);
  THROUGH_REGISTERS(&in, &out, "9: dec %%rax\n jnz 9b", "+a"(rounds));
  CheckState(&out, &in);
}

static void* Worker(void* arg) {
  for (int i = 0; i < 300; i++) Spin((unsigned)(uintptr_t)arg * 1000 + (unsigned)i, 20000);
  return NULL;
}

// All general registers and the flags across a signal that arrives anywhere in a loop.
static void SpinGeneral(long rounds) {
  uint64_t wrong = 1;
  __asm__ volatile(
      "push %%rbp\n"
      "mov $1, %%rbx\n mov $2, %%rcx\n mov $3, %%rdx\n mov $4, %%rsi\n mov $5, %%rdi\n mov $6, "
      "%%rbp\n"
      "mov $8, %%r8\n mov $9, %%r9\n mov $10, %%r10\n mov $11, %%r11\n mov $12, %%r12\n"
      "mov $13, %%r13\n mov $14, %%r14\n mov $15, %%r15\n"
      // The red zone below the stack pointer is the program's.
      "movq $77, -8(%%rsp)\n movq $78, -128(%%rsp)\n"
      "1: dec %%rax\n jnz 1b\n"
      "cmpq $77, -8(%%rsp)\n jne 2f\n cmpq $78, -128(%%rsp)\n jne 2f\n"
      "cmp $1, %%rbx\n jne 2f\n cmp $2, %%rcx\n jne 2f\n cmp $3, %%rdx\n jne 2f\n cmp $4, %%rsi\n "
      "jne 2f\n"
      "cmp $5, %%rdi\n jne 2f\n cmp $6, %%rbp\n jne 2f\n cmp $8, %%r8\n jne 2f\n cmp $9, %%r9\n "
      "jne 2f\n"
      "cmp $10, %%r10\n jne 2f\n cmp $11, %%r11\n jne 2f\n cmp $12, %%r12\n jne 2f\n cmp $13, "
      "%%r13\n jne 2f\n"
      "cmp $14, %%r14\n jne 2f\n cmp $15, %%r15\n jne 2f\n"
      "xor %%eax, %%eax\n jmp 3f\n"
      "2: mov $1, %%eax\n"
      "3: pop %%rbp\n"
      : "=a"(wrong)
      : "0"(rounds)
      : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
        "memory", "cc");
  CHECK_EQ(wrong, 0);
}

int main(void) {
  Handle(SIGALRM, Scribble, SA_RESTART);
  Handle(SIGUSR1, CheckDefaults, 0);
  // Delivered at a system call's return.
  for (unsigned i = 0; i < 50; i++) {
    struct VectorState in, out;
    MakeState(&in, i);
    long result = SYS_tgkill;
    long pid = getpid();
    THROUGH_REGISTERS(
        &in, &out,
        "push %%rdi\npush %%rsi\nmov %[pid], %%rdi\nmov %%rdi, %%rsi\nmov $10, %%edx\nsyscall\n"
        "pop %%rsi\npop %%rdi",
        "+a"(result), [pid] "+r"(pid));
    CHECK_EQ(result, 0);
    CheckState(&out, &in);
  }
  CHECK_EQ(count, 50);

  // Delivered anywhere, by a timer.
  struct itimerval timer = {{0, 500}, {0, 500}};
  CHECK_OK(setitimer(ITIMER_REAL, &timer, NULL));
  for (unsigned i = 0; i < 1000 || (count < 150 && i < 100000); i++) {
    Spin(i, 20000);
    SpinGeneral(20000);
  }
  CHECK(count >= 100);

  // Threads preempted by each other, and by the signals.
  pthread_t threads[4];
  for (uintptr_t i = 0; i < 4; i++) threads[i] = StartThread(Worker, (void*)i);
  for (int i = 0; i < 4; i++) JoinThread(threads[i]);
  timer = (struct itimerval){{0, 0}, {0, 0}};
  CHECK_OK(setitimer(ITIMER_REAL, &timer, NULL));

  // fork: the child has the same.
  for (unsigned i = 0; i < 5; i++) {
    struct VectorState in, out;
    MakeState(&in, i + 3);
    long result = SYS_fork;
    THROUGH_REGISTERS(&in, &out, "push %%rdi\npush %%rsi\nsyscall\npop %%rsi\npop %%rdi",
                      "+a"(result));
    CheckState(&out, &in);
    if (result == 0) _exit(0);
    CHECK(result > 0);
    WAIT_EXIT((pid_t)result, 0);
  }
  return 0;
}
#endif
