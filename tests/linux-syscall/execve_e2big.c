// execve(2): the limits on arguments: 32 pages for one string, a quarter of the stack limit for
// all.
#include "proc.h"

int main(int argc, char** argv) {
  if (argc > 1) return (int)(strlen(argv[1]) % 251);
  size_t one = 32 * 4096;
  char* text = malloc(one + 1);
  memset(text, 'a', one + 1);
  text[one] = 0;
  char* args[] = {argv[0], text, NULL};
  char* none[] = {NULL};
  CHECK_ERR(execve("/proc/self/exe", args, none), E2BIG);
  CHECK_ERR(execve("/proc/self/exe", (char*[]){argv[0], NULL}, (char*[]){text, NULL}), E2BIG);
  text[one - 1] = 0;  // with its 0 it just fits
  pid_t pid = Fork();
  if (pid == 0) {
    execve("/proc/self/exe", args, none);
    _exit(255);
  }
  WAIT_EXIT(pid, (int)((one - 1) % 251));

  // Many strings, more than a quarter of an 8 MiB stack.
  struct rlimit limit;
  CHECK_OK(getrlimit(RLIMIT_STACK, &limit));
  limit.rlim_cur = 8 << 20;
  if (setrlimit(RLIMIT_STACK, &limit) != 0) return 0;
  enum { kCount = 40 };
  static char* many[kCount + 1];
  text[100000] = 0;
  for (int i = 0; i < kCount; i++) many[i] = text;
  CHECK_ERR(execve("/proc/self/exe", many, none), E2BIG);
  many[10] = NULL;
  pid = Fork();
  if (pid == 0) {
    execve("/proc/self/exe", many, none);
    _exit(255);
  }
  WAIT_EXIT(pid, 100000 % 251);
  return 0;
}
