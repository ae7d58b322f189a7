// fork(2) in a process with threads: the child has only the caller; several threads may fork at
// once.
#include <dirent.h>

#include "proc.h"

static atomic_bool stop;
static atomic_int prepared, parents;
static int children;

static void Prepare(void) { prepared++; }
static void Parent(void) { parents++; }
static void Child(void) { children++; }

static void* Spin(void* arg) {
  volatile long* counter = arg;
  while (!stop) {
    ++*counter;
    sched_yield();
  }
  return NULL;
}

static int CountThreads(void) {
  DIR* dir = opendir("/proc/self/task");
  CHECK(dir != NULL);
  int count = 0;
  for (struct dirent* entry; (entry = readdir(dir));) count += entry->d_name[0] != '.';
  closedir(dir);
  return count;
}

static void* ForkOften(void* arg) {
  for (int i = 0; i < 20; i++) {
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
      void* memory = malloc(1000);  // the allocator's locks are whole
      if (!memory || Gettid() != getpid()) _exit(1);
      memset(memory, 1, 1000);
      free(memory);
      _exit(10 + i);
    }
    WAIT_EXIT(pid, 10 + i);
  }
  return arg;
}

int main(void) {
  static volatile long counter;
  CHECK_EQ(pthread_atfork(Prepare, Parent, Child), 0);
  pthread_t spinner = StartThread(Spin, (void*)&counter);
  CHECK_EQ(CountThreads(), 2);
  IN_CHILD({
    CHECK_EQ(CountThreads(), 1);
    CHECK_EQ(children, 1);
    long before = counter;
    Nap(20);
    CHECK_EQ(counter, before);
    stop = false;  // a new thread works in the child
    static volatile long other;
    pthread_t thread = StartThread(Spin, (void*)&other);
    CHECK(EVENTUALLY(other > 10));
    stop = true;
    JoinThread(thread);
  });
  CHECK_EQ(prepared, 1);
  CHECK_EQ(parents, 1);
  CHECK_EQ(children, 0);

  pthread_t threads[4];
  for (int i = 0; i < 4; i++) threads[i] = StartThread(ForkOften, NULL);
  for (int i = 0; i < 4; i++) JoinThread(threads[i]);
  stop = true;
  JoinThread(spinner);
  CHECK_EQ(parents, 81);
  CHECK_ERR(wait(NULL), ECHILD);
  return 0;
}
