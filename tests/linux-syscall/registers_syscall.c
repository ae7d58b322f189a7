// A system call changes its result and, on x86-64, rcx and r11, and nothing else: general, vector,
// floating-point and control registers, flags.
#include "registers.h"

#ifdef __riscv
THROUGH_GENERAL(Call, "ecall")

static void CheckCall(long number, long a, long b, long c, long wanted) {
  struct General before, after;
  MakeGeneral(&before, (unsigned)number);
  before.x[10] = (uint64_t)a;
  before.x[11] = (uint64_t)b;
  before.x[12] = (uint64_t)c;
  before.x[17] = (uint64_t)number;
  memset(&after, 0, sizeof after);
  Call(&before, &after);
  CHECK_EQ(after.x[10], wanted);
  CheckGeneral(&after, &before, 1u << 10);
}

static atomic_int stop;
static void* Disturb(void* arg) {
  volatile double value = 1;
  while (!stop) {
    for (int i = 0; i < 100; i++) value = value * 1.01 + 1;
    sched_yield();
  }
  return arg;
}

int main(void) {
  int ends[2];
  char byte = 'r';
  CHECK_OK(pipe(ends));
  for (int i = 0; i < 100; i++) {
    CheckCall(SYS_getpid, 1, 2, 3, getpid());
    CheckCall(9999, 1, 2, 3, -ENOSYS);
    CheckCall(SYS_sched_yield, 1, 2, 3, 0);
    CheckCall(SYS_write, ends[1], (long)&byte, 1, 1);
    CheckCall(SYS_read, ends[0], (long)&byte, 1, 1);
    CheckCall(SYS_read, -1, (long)&byte, 1, -EBADF);
    CheckCall(SYS_write, ends[1], 16, 1, -EFAULT);
  }
  // With calls that sleep, so that others use the registers in between.
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) threads[i] = StartThread(Disturb, NULL);
  for (unsigned i = 0; i < 200; i++) {
    struct FloatState in, out;
    MakeState(&in, i);
    memset(&out, 0, sizeof out);
    struct timespec time = {0, i % 4 * 50000};
    long value = (long)&time;
    THROUGH_REGISTERS(&in, &out, value,
                      "li a7, 101\n mv a0, s4\n li a1, 0\n ecall\n mv s4, a0");  // nanosleep
    CHECK_EQ(value, 0);
    CheckState(&out, &in);
  }
  stop = 1;
  for (int i = 0; i < 4; i++) JoinThread(threads[i]);
  return 0;
}
#elif !defined __x86_64__
int main(void) { SKIP("not for this processor"); }
#else
struct General {
  uint64_t rax, rbx, rdx, rsi, rdi, rbp, r8, r9, r10, r12, r13, r14, r15, flags;
};

// Loads all of `before`, makes the call in its rax, stores all into `after`.
__attribute__((naked, noinline)) static void Call(const struct General* before
                                                  __attribute__((unused)),
                                                  struct General* after __attribute__((unused))) {
  __asm__(
      "push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n push %rsi\n"
      "mov %rdi, %rax\n"
      "push 104(%rax)\n popfq\n"
      "mov 8(%rax), %rbx\n mov 16(%rax), %rdx\n mov 24(%rax), %rsi\n mov 32(%rax), %rdi\n"
      "mov 40(%rax), %rbp\n mov 48(%rax), %r8\n mov 56(%rax), %r9\n mov 64(%rax), %r10\n"
      "mov 72(%rax), %r12\n mov 80(%rax), %r13\n mov 88(%rax), %r14\n mov 96(%rax), %r15\n"
      "mov (%rax), %rax\n"
      "syscall\n"
      "pushfq\n pop %rcx\n cld\n"
      "pop %r11\n"
      "mov %rax, (%r11)\n mov %rbx, 8(%r11)\n mov %rdx, 16(%r11)\n mov %rsi, 24(%r11)\n"
      "mov %rdi, 32(%r11)\n mov %rbp, 40(%r11)\n mov %r8, 48(%r11)\n mov %r9, 56(%r11)\n"
      "mov %r10, 64(%r11)\n mov %r12, 72(%r11)\n mov %r13, 80(%r11)\n mov %r14, 88(%r11)\n"
      "mov %r15, 96(%r11)\n mov %rcx, 104(%r11)\n"
      "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n ret");
}

static void CheckGeneral(long number, long a, long b, long c, uint64_t flags, long wanted) {
  struct General before, after;
  for (size_t i = 0; i < sizeof before / 8; i++)
    ((uint64_t*)&before)[i] = 0x1111111111111111 * (i + 1);
  before.rax = (uint64_t)number;
  before.rdi = (uint64_t)a;
  before.rsi = (uint64_t)b;
  before.rdx = (uint64_t)c;
  before.flags = flags;
  memset(&after, 0, sizeof after);
  Call(&before, &after);
  CHECK_EQ(after.rax, wanted);
  before.rax = after.rax;
  // The carry to overflow flags and the direction flag come back as they were.
  CHECK_EQ(after.flags & 0xcd5, flags & 0xcd5);
  before.flags = after.flags;
  CHECK_MEM(&after, &before, sizeof after);
}

static atomic_int stop;
static void* Disturb(void* arg) {
  while (!stop) sched_yield();
  return arg;
}

int main(void) {
  uint64_t flags = 0x202;
  int ends[2];
  char byte = 'r';
  CHECK_OK(pipe(ends));
  for (int i = 0; i < 3; i++) {
    CheckGeneral(SYS_getpid, 1, 2, 3, flags, getpid());
    CheckGeneral(SYS_getppid, 1, 2, 3, flags | 0x8d5, getppid());
    CheckGeneral(SYS_getppid, 1, 2, 3, flags | 0x400, getppid());
    CheckGeneral(9999, 1, 2, 3, flags, -ENOSYS);
    CheckGeneral(SYS_sched_yield, 1, 2, 3, flags | 0x1, 0);
    CheckGeneral(SYS_write, ends[1], (long)&byte, 1, flags, 1);
    CheckGeneral(SYS_read, ends[0], (long)&byte, 1, flags, 1);
    CheckGeneral(SYS_read, -1, (long)&byte, 1, flags, -EBADF);
    CheckGeneral(SYS_write, ends[1], 16, 1, flags, -EFAULT);
  }

  // Vector state: with calls that sleep, so that others use the registers in between.
  pthread_t thread = StartThread(Disturb, NULL);
  for (unsigned i = 0; i < 200; i++) {
    struct VectorState in, out;
    MakeState(&in, i);
    memset(&out, 0, sizeof out);
    long result = SYS_getppid;
    THROUGH_REGISTERS(&in, &out, "push %%rdi\npush %%rsi\nsyscall\npop %%rsi\npop %%rdi",
                      "+a"(result));
    CHECK_EQ(result, getppid());
    CheckState(&out, &in);
    result = SYS_nanosleep;
    struct timespec time = {0, 100000};
    struct timespec* pointer = &time;
    THROUGH_REGISTERS(&in, &out,
                      "push %%rdi\npush %%rsi\nmov %[time], %%rdi\nxor %%esi, %%esi\nsyscall\n"
                      "pop %%rsi\npop %%rdi",
                      "+a"(result), [time] "+r"(pointer));
    CHECK_EQ(result, 0);
    CheckState(&out, &in);
  }
  stop = 1;
  JoinThread(thread);
  return 0;
}
#endif
