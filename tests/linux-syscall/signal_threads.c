// Signals to the process go to any thread that lets them in, signals to a thread to that one.
#include "proc.h"

static atomic_int taken_by, taken;
static _Thread_local volatile int mine;

static void Take(int number) {
  (void)number;
  mine++;
  taken_by = Gettid();
  taken++;
}

struct Worker {
  atomic_int tid, stop;
  int hits;
  bool open;
};

static void* Work(void* arg) {
  struct Worker* self = arg;
  Mask(self->open ? SIG_UNBLOCK : SIG_BLOCK, SIGUSR1);
  self->tid = Gettid();
  while (!self->stop) Nap(1);
  self->hits = mine;
  return NULL;
}

static void* WaitSignal(void* arg) {
  sigset_t set = SetOf(SIGUSR2);
  siginfo_t info;
  ((struct Worker*)arg)->tid = Gettid();
  CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR2);
  return NULL;
}

static void* Die(void* arg) {
  syscall(SYS_tgkill, getpid(), Gettid(), SIGTERM);
  for (;;) pause();
  return arg;
}

int main(void) {
  Handle(SIGUSR1, Take, 0);
  Mask(SIG_BLOCK, SIGUSR1);
  struct Worker workers[4];
  pthread_t threads[4];
  memset(workers, 0, sizeof workers);
  workers[2].open = true;
  for (int i = 0; i < 4; i++) threads[i] = StartThread(Work, &workers[i]);
  for (int i = 0; i < 4; i++) CHECK(EVENTUALLY(workers[i].tid));

  // Only thread 2 lets it in.
  for (int i = 1; i <= 20; i++) {
    CHECK_OK(kill(getpid(), SIGUSR1));
    CHECK(EVENTUALLY(taken == i));
    CHECK_EQ(taken_by, workers[2].tid);
  }
  // To a thread that blocks it: stays pending there, nobody else takes it.
  CHECK_OK(syscall(SYS_tgkill, getpid(), (int)workers[1].tid, SIGUSR1));
  Nap(20);
  CHECK_EQ(taken, 20);
  CHECK(!IsPending(SIGUSR1));  // it is pending for the other thread alone
  // To the open one.
  CHECK_EQ(pthread_kill(threads[2], SIGUSR1), 0);
  CHECK(EVENTUALLY(taken == 21));
  CHECK_EQ(taken_by, workers[2].tid);
  for (int i = 0; i < 4; i++) workers[i].stop = 1;
  for (int i = 0; i < 4; i++) JoinThread(threads[i]);
  CHECK_EQ(workers[0].hits + workers[1].hits + workers[3].hits, 0);
  CHECK_EQ(workers[2].hits, 21);

  // Blocked by all: waits for the first that opens; shown as pending to everybody.
  CHECK_OK(kill(getpid(), SIGUSR1));
  CHECK(IsPending(SIGUSR1));
  memset(workers, 0, sizeof workers);
  workers[0].open = true;
  threads[0] = StartThread(Work, &workers[0]);
  CHECK(EVENTUALLY(taken == 22 && workers[0].tid != 0));
  CHECK_EQ(taken_by, workers[0].tid);
  workers[0].stop = 1;
  JoinThread(threads[0]);

  // A thread in sigwait takes a signal that the others block.
  Mask(SIG_BLOCK, SIGUSR2);
  memset(workers, 0, sizeof workers);
  threads[0] = StartThread(WaitSignal, &workers[0]);
  CHECK(EVENTUALLY(workers[0].tid));
  CHECK_OK(kill(getpid(), SIGUSR2));
  JoinThread(threads[0]);
  CHECK(!IsPending(SIGUSR2));

  // A deadly signal to one thread ends the process.
  IN_CHILD_KILLED_BY(SIGTERM, {
    StartThread(Work, &workers[1]);
    StartThread(Die, NULL);
    for (;;) pause();
  });
  return 0;
}
