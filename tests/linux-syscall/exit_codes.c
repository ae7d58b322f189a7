// exit_group(2) and exit(2): the status that parents see, and that all threads end.
#include "proc.h"

static atomic_int started;

static void* Block(void* arg) {
  started++;
  for (;;) pause();
  return arg;
}

static void* Leave(void* arg) {
  while (started < 8) sched_yield();
  syscall(SYS_exit_group, 0x1234);
  return arg;
}

static void* LeaveAlone(void* arg) {
  syscall(SYS_exit, 99);
  return arg;
}

static void* Last(void* arg) {
  AWAIT_STATE(getpid(), 'Z');  // the first thread has gone; the process lives on in this one
  CHECK_EQ(getpid() != Gettid(), 1);
  syscall(SYS_exit, 31);
  return arg;
}

int main(void) {
  static const int codes[] = {0, 1, 77, 127, 128, 255, 256, -1, 0x7fffff05};
  for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
    pid_t pid = Fork();
    if (pid == 0) syscall(SYS_exit_group, codes[i]);
    CHECK_EQ(WAIT_STATUS(pid), (codes[i] & 0xff) << 8);
    pid = Fork();
    if (pid == 0) syscall(SYS_exit, codes[i]);
    CHECK_EQ(WAIT_STATUS(pid), (codes[i] & 0xff) << 8);
  }

  pid_t pid = Fork();
  if (pid == 0) {
    for (int i = 0; i < 8; i++) StartThread(Block, NULL);
    StartThread(Leave, NULL);
    for (;;) pause();
  }
  WAIT_EXIT(pid, 0x34);

  // exit(2) ends one thread only; the last one's status is the process's.
  IN_CHILD({
    pthread_t thread = StartThread(LeaveAlone, NULL);
    JoinThread(thread);
  });
  pid = Fork();
  if (pid == 0) {
    StartThread(Last, NULL);
    syscall(SYS_exit, 30);
  }
  WAIT_EXIT(pid, 31);  // the last thread's status is the process's (since Linux 5.17)

  // Descriptors close at the end: the reader sees it.
  int ends[2];
  char byte;
  CHECK_OK(pipe(ends));
  pid = Fork();
  if (pid == 0) {
    close(ends[0]);
    syscall(SYS_exit_group, 3);
  }
  close(ends[1]);
  CHECK_EQ(read(ends[0], &byte, 1), 0);
  WAIT_EXIT(pid, 3);
  return 0;
}
