// Children belong to the process: any thread may wait for them, unless it says __WNOTHREAD.
#include "proc.h"

static pid_t forked;
static atomic_int waiting;

static void* ForkOne(void* arg) {
  forked = fork();
  if (forked == 0) _exit(8);
  CHECK(forked > 0);
  return arg;
}

static void* WaitAny(void* arg) {
  (void)arg;
  int status;
  waiting++;
  pid_t pid = (pid_t)CHECK_OK(waitpid(-1, &status, 0));
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 4);
  return (void*)(intptr_t)pid;
}

static void* ForkAndStay(void* arg) {
  ForkOne(NULL);
  waiting++;
  while (!*(atomic_bool*)arg) sched_yield();
  return NULL;
}

int main(void) {
  // The maker is gone; the child is still the process's.
  JoinThread(StartThread(ForkOne, NULL));
  WAIT_EXIT(forked, 8);

  // Another thread's child: found, but not with __WNOTHREAD.
  atomic_bool stop = false;
  pthread_t maker = StartThread(ForkAndStay, &stop);
  while (waiting < 1) sched_yield();
  int status;
  CHECK_ERR(waitpid(forked, &status, __WNOTHREAD), ECHILD);
  WAIT_EXIT(forked, 8);
  stop = true;
  JoinThread(maker);

  // Many waiters, as many children: each gets one.
  waiting = 0;
  int gate[2];
  CHECK_OK(pipe(gate));
  pid_t children[6];
  for (int i = 0; i < 6; i++) {
    children[i] = Fork();
    if (children[i] != 0) continue;
    char byte;
    close(gate[1]);
    _exit(read(gate[0], &byte, 1) == 0 ? 4 : 1);
  }
  pthread_t waiters[6];
  for (int i = 0; i < 6; i++) waiters[i] = StartThread(WaitAny, NULL);
  while (waiting < 6) sched_yield();
  close(gate[1]);
  int found = 0;
  for (int i = 0; i < 6; i++) {
    void* result;
    CHECK_EQ(pthread_join(waiters[i], &result), 0);
    for (int j = 0; j < 6; j++) found += children[j] == (pid_t)(intptr_t)result;
  }
  CHECK_EQ(found, 6);
  CHECK_ERR(wait(NULL), ECHILD);
  return 0;
}
