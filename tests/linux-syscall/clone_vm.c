// clone(2) with CLONE_VM on a stack of its own: one memory, two processes; with and without
// CLONE_VFORK.
#include "proc.h"

static volatile int value;
static atomic_int go;
static char stack[64 * 1024] __attribute__((aligned(16)));

static int Child(void* arg) {
  value = *(int*)arg;
  char local = 1;
  if (&local < stack || &local >= stack + sizeof stack) return 1;
  return 21;
}

static int Waiter(void* arg) {
  (void)arg;
  while (!go) sched_yield();
  value = 5;
  return 0;
}

int main(void) {
  int given = 77;
  pid_t pid =
      (pid_t)CHECK_OK(clone(Child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &given));
  CHECK_EQ(value, 77);  // the parent waited
  WAIT_EXIT(pid, 21);

  pid = (pid_t)CHECK_OK(clone(Waiter, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL));
  CHECK_EQ(value, 77);  // the parent did not wait
  go = 1;
  WAIT_EXIT(pid, 0);
  CHECK_EQ(value, 5);

  // Without CLONE_VM the given stack is used too, in the copy.
  value = 0;
  pid = (pid_t)CHECK_OK(clone(Child, stack + sizeof stack, SIGCHLD, &given));
  WAIT_EXIT(pid, 21);
  CHECK_EQ(value, 0);

  // Mappings made by one are there for the other.
  static char* volatile mapped;
  mapped = NULL;
  pid = vfork();
  if (pid == 0) {
    mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mapped[0] = 'm';
    _exit(0);
  }
  WAIT_EXIT(pid, 0);
  CHECK_EQ(mapped[0], 'm');
  return 0;
}
