// vfork(2): the parent is suspended, memory is shared, signals and descriptors are the child's own.
#include "proc.h"

static volatile int value = 1;
static volatile pid_t child_sees;
static atomic_int ticks;
static int rounds;

static void* Tick(void* arg) {
  while (!*(atomic_bool*)arg) {
    ticks++;
    sched_yield();
  }
  return NULL;
}

int main(void) {
  pid_t parent = getpid();
  int fd = (int)CHECK_OK(open("/dev/null", O_RDONLY));
  pid_t pid = vfork();
  if (pid == 0) {
    value = 2;  // same memory
    child_sees = getpid();
    close(fd);  // own descriptors
    struct timespec nap = {0, 30000000};
    nanosleep(&nap, NULL);
    value = 3;
    _exit(7);
  }
  CHECK_EQ(value, 3);  // written after the nap: the parent did wait
  CHECK_EQ(child_sees, pid);
  CHECK(pid != parent);
  CHECK_OK(fcntl(fd, F_GETFD));
  WAIT_EXIT(pid, 7);

  // Only the calling thread is suspended.
  atomic_bool stop = false;
  pthread_t thread = StartThread(Tick, &stop);
  CHECK(EVENTUALLY(ticks > 0));
  static int before, after;
  pid = vfork();
  if (pid == 0) {
    before = ticks;
    for (int i = 0; i < 1000 && ticks == before; i++) {
      struct timespec nap = {0, 2000000};
      nanosleep(&nap, NULL);
    }
    after = ticks;
    _exit(0);
  }
  WAIT_EXIT(pid, 0);
  CHECK(after > before);
  stop = true;
  JoinThread(thread);

  // A child killed by a signal releases the parent too.
  pid = vfork();
  if (pid == 0) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }
  WAIT_SIGNAL(pid, SIGKILL);

  // A child may vfork itself, and a handler set in the child is not the parent's.
  pid = vfork();
  if (pid == 0) {
    pid_t inner = vfork();
    if (inner == 0) {
      value = 44;
      _exit(1);
    }
    signal(SIGUSR1, SIG_IGN);
    int status;
    waitpid(inner, &status, 0);
    _exit(value == 44 && WEXITSTATUS(status) == 1 ? 5 : 6);
  }
  WAIT_EXIT(pid, 5);
  struct sigaction action;
  CHECK_OK(sigaction(SIGUSR1, NULL, &action));
  CHECK(action.sa_handler == SIG_DFL);

  // Many in a row: nothing leaks.
  for (rounds = 0; rounds < 200; rounds++) {
    pid = vfork();
    if (pid == 0) _exit(rounds & 63);
    WAIT_EXIT(pid, rounds & 63);
  }
  return 0;
}
