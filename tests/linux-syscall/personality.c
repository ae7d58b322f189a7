// personality(2): asking, setting, inheriting; ADDR_NO_RANDOMIZE makes two runs alike.
#include <sys/personality.h>

#include "proc.h"

static void* RunForStack(char** argv) {
  int ends[2];
  void* address = NULL;
  CHECK_OK(pipe(ends));
  pid_t pid = Fork();
  if (pid == 0) {
    CHECK_OK(dup2(ends[1], STDOUT_FILENO));
    execv("/proc/self/exe", (char*[]){argv[0], "stack", NULL});
    _exit(99);
  }
  CHECK_EQ(read(ends[0], &address, sizeof address), sizeof address);
  WAIT_EXIT(pid, 0);
  close(ends[0]);
  close(ends[1]);
  return address;
}

// What is left of a timeout is told, or is not.
static void CheckTimeouts(void) {
  struct timespec time = {0, 2000000};
  struct timeval value = {0, 2000};
  CHECK_OK(syscall(SYS_ppoll, NULL, 0, &time, NULL, 8));
  CHECK_EQ(time.tv_nsec, 0);
  IN_CHILD({
    CHECK_OK(personality(PER_LINUX | STICKY_TIMEOUTS));
    time.tv_nsec = 2000000;
    CHECK_OK(syscall(SYS_ppoll, NULL, 0, &time, NULL, 8));
    CHECK_EQ(time.tv_nsec, 2000000);
    CHECK_OK(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &time, NULL));
    CHECK_EQ(time.tv_nsec, 2000000);
#ifdef SYS_select
    CHECK_OK(syscall(SYS_select, 0, NULL, NULL, NULL, &value));
    CHECK_EQ(value.tv_usec, 2000);
#endif
  });
  (void)value;
}

int main(int argc, char** argv) {
  if (argc == 2) return write(STDOUT_FILENO, &argv, sizeof argv) != sizeof argv;
  int before = (int)CHECK_OK(personality(0xffffffff));
  CHECK_EQ(before & 0xff, PER_LINUX);
  CHECK_EQ(personality(PER_LINUX | ADDR_NO_RANDOMIZE), before);
  CHECK_EQ(personality(0xffffffff), PER_LINUX | ADDR_NO_RANDOMIZE);
  IN_CHILD(CHECK_EQ(personality(0xffffffff), PER_LINUX | ADDR_NO_RANDOMIZE));
  CheckTimeouts();
  CHECK(RunForStack(argv) == RunForStack(argv));
  CHECK_OK(personality((unsigned long)before & ~(unsigned long)ADDR_NO_RANDOMIZE));
  char text[16];
  ReadText("/proc/sys/kernel/randomize_va_space", text, sizeof text);
  if (atoi(text) > 0) {
    void* first = RunForStack(argv);
    CHECK(first != RunForStack(argv) || first != RunForStack(argv));
  }
  return 0;
}
