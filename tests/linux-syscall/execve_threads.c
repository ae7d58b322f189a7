// execve(2) from a thread: all others end, the new program has the process's number and one thread.
#include <dirent.h>

#include "proc.h"

static char** program;
static char** environment;
static atomic_int ready;

static void* Block(void* arg) {
  ready++;
  for (;;) pause();
  return arg;
}

static void* Spin(void* arg) {
  ready++;
  for (volatile unsigned long i = 0;; i++) {
  }
  return arg;
}

static void* BlockInRead(void* arg) {
  char byte;
  ready++;
  CHECK_EQ(read(*(int*)arg, &byte, 1), -2);  // never comes back
  return arg;
}

static void* Exec(void* arg) {
  while (ready < 6) sched_yield();
  execve("/proc/self/exe", program, environment);
  FAIL("execve");
  return arg;
}

int main(int argc, char** argv, char** envp) {
  if (argc == 3 && strcmp(argv[1], "new") == 0) {
    CHECK_EQ(getpid(), atoi(argv[2]));
    CHECK_EQ(Gettid(), getpid());
    int threads = 0;
    DIR* dir = opendir("/proc/self/task");
    CHECK(dir != NULL);
    for (struct dirent* entry; (entry = readdir(dir));) threads += entry->d_name[0] != '.';
    CHECK_EQ(threads, 1);
    return 14;
  }
  environment = envp;
  for (int round = 0; round < 10; round++) {
    pid_t pid = Fork();
    if (pid == 0) {
      char number[16];
      snprintf(number, sizeof number, "%d", (int)getpid());
      program = (char*[]){argv[0], "new", number, NULL};
      static int ends[2];
      CHECK_OK(pipe2(ends, O_CLOEXEC));
      for (int i = 0; i < 3; i++) StartThread(Block, NULL);
      StartThread(Spin, NULL);
      StartThread(BlockInRead, &ends[0]);
      if (round % 2 == 0) {
        ready++;
        StartThread(Exec, NULL);
        for (;;) pause();
      }
      ready++;
      Exec(NULL);
    }
    WAIT_EXIT(pid, 14);
  }

  // Two threads that exec at once: one of them wins.
  for (int round = 0; round < 10; round++) {
    pid_t pid = Fork();
    if (pid == 0) {
      char number[16];
      snprintf(number, sizeof number, "%d", (int)getpid());
      program = (char*[]){argv[0], "new", number, NULL};
      ready = 6;
      StartThread(Exec, NULL);
      Exec(NULL);
    }
    WAIT_EXIT(pid, 14);
  }
  return 0;
}
