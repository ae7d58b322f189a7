// Signals change no register of the interrupted code: handlers that use the vector unit,
// preemption, many threads.
#include "registers.h"

#ifdef __riscv
THROUGH_GENERAL(SpinGeneral, "lui t6, 5\n 1: addi t6, t6, -1\n bnez t6, 1b")
static volatile sig_atomic_t count;

static void Scribble(int number) {
  struct FloatState junk, out;
  MakeState(&junk, (unsigned)number + 91);
  long value = 0;
  THROUGH_REGISTERS(&junk, &out, value, "");
  CheckState(&out, &junk);
  count++;
}

// Spins with the state in the registers while signals arrive.
static void Spin(unsigned seed, long rounds) {
  struct FloatState in, out;
  MakeState(&in, seed);
  memset(&out, 0, sizeof out);
  THROUGH_REGISTERS(&in, &out, rounds, "9: addi s4, s4, -1\n bnez s4, 9b");
  CheckState(&out, &in);
  struct General before, after;
  MakeGeneral(&before, seed);
  SpinGeneral(&before, &after);
  CheckGeneral(&after, &before, 1u << 31);
}

static void* Worker(void* arg) {
  for (int i = 0; i < 100; i++) Spin((unsigned)(uintptr_t)arg * 1000 + (unsigned)i, 20000);
  return NULL;
}

// A handler that goes on elsewhere, with every register as it says.
static void Jump(int number, siginfo_t* info, void* context) {
  (void)number;
  (void)info;
  mcontext_t* to = &((ucontext_t*)context)->uc_mcontext;
  for (int i = 1; i < 32; i++)
    if (i != 2 && i != 3 && i != 4 && i != 31)
      to->__gregs[i] = 0x0101010101010101ul * (unsigned)i + 5;
  to->__gregs[0] += 4;
}
// What is not a pointer here comes back from Jump; t6 leads to the result.
THROUGH_GENERAL(Illegal, ".option push\n .option norvc\n unimp\n .option pop")

int main(void) {
  Handle(SIGALRM, Scribble, SA_RESTART);
  Handle(SIGUSR1, Scribble, 0);
  // Delivered at a system call's return.
  for (unsigned i = 0; i < 50; i++) {
    struct FloatState in, out;
    MakeState(&in, i);
    long value = getpid();
    THROUGH_REGISTERS(
        &in, &out, value,
        "li a7, 131\n mv a0, s4\n mv a1, s4\n li a2, 10\n ecall\n mv s4, a0");  // tgkill
    CHECK_EQ(value, 0);
    CheckState(&out, &in);
  }
  CHECK_EQ(count, 50);

  // Delivered anywhere, by a timer.
  struct itimerval timer = {{0, 500}, {0, 500}};
  CHECK_OK(setitimer(ITIMER_REAL, &timer, NULL));
  for (unsigned i = 0; i < 500 || (count < 150 && i < 100000); i++) Spin(i, 20000);
  CHECK(count >= 100);

  // Threads preempted by each other, and by the signals.
  pthread_t threads[6];
  for (uintptr_t i = 0; i < 6; i++) threads[i] = StartThread(Worker, (void*)i);
  for (int i = 0; i < 6; i++) JoinThread(threads[i]);
  timer = (struct itimerval){{0, 0}, {0, 0}};
  CHECK_OK(setitimer(ITIMER_REAL, &timer, NULL));

  // fork: the child has the same.
  for (unsigned i = 0; i < 5; i++) {
    struct FloatState in, out;
    MakeState(&in, i + 3);
    long value = SIGCHLD;
    THROUGH_REGISTERS(&in, &out, value,
                      "li a7, 220\n mv a0, s4\n li a1, 0\n li a2, 0\n ecall\n mv s4, a0");  // clone
    CheckState(&out, &in);
    if (value == 0) _exit(0);
    CHECK(value > 0);
    WAIT_EXIT((pid_t)value, 0);
  }

  HandleInfo(SIGILL, Jump, 0);
  struct General before, after, wanted;
  MakeGeneral(&before, 77);
  MakeGeneral(&wanted, 5);
  Illegal(&before, &after);
  CheckGeneral(&after, &wanted, 1u << 31);
  CHECK_EQ(after.x[31], before.x[31]);
  return 0;
}
#elif !defined __x86_64__
int main(void) { SKIP("not for this processor"); }
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
