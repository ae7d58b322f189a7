// execve(2): argv and envp arrive as given; empty strings, many, long; an empty or null vector.
#include "proc.h"

extern char** environ;

static int CheckMany(int argc, char** argv) {
  CHECK_EQ(argc, 3002);
  for (int i = 2; i < argc; i++) CHECK_EQ(atoi(argv[i]), i);
  CHECK(argv[argc] == NULL);
  CHECK(environ[0] == NULL);
  return 0;
}

static int CheckEdge(int argc, char** argv) {
  CHECK_EQ(argc, 5);
  CHECK_STR(argv[0], "");
  CHECK_STR(argv[2], "");
  CHECK_EQ(strlen(argv[3]), 100000);
  CHECK_STR(argv[4], "\xff\x01 x\n");
  CHECK_STR(environ[0], "A=1");
  CHECK_STR(environ[1], "no equals sign");
  CHECK_STR(environ[2], "A=2");
  CHECK_STR(environ[3], "");
  CHECK(environ[4] == NULL);
  // The strings lie in one block, arguments before environment.
  CHECK(argv[1] == argv[0] + 1);
  CHECK(environ[0] == argv[4] + strlen(argv[4]) + 1);
  return 0;
}

int main(int argc, char** argv) {
  if (argc == 1 && argv[0][0] == 0) return getenv("NONE") ? 0 : 1;
  if (argc > 1 && strcmp(argv[1], "many") == 0) return CheckMany(argc, argv);
  if (argc > 1 && strcmp(argv[1], "edge") == 0) return CheckEdge(argc, argv);

  static char numbers[3002][8];
  static char* many[3003];
  for (int i = 0; i < 3002; i++) {
    snprintf(numbers[i], sizeof numbers[i], "%d", i);
    many[i] = numbers[i];
  }
  many[1] = "many";
  char* none[] = {NULL};
  IN_CHILD(CHECK_OK(execve("/proc/self/exe", many, none)));

  char* big = malloc(100001);
  memset(big, 'b', 100000);
  big[100000] = 0;
  char* edge[] = {"", "edge", "", big, "\xff\x01 x\n", NULL};
  char* env[] = {"A=1", "no equals sign", "A=2", "", NULL};
  IN_CHILD(CHECK_OK(execve("/proc/self/exe", edge, env)));

  // No arguments: the new program gets one empty string (since Linux 5.18; it gets none before
  // that).
  char* marker[] = {"NONE=1", NULL};
  IN_CHILD(syscall(SYS_execve, "/proc/self/exe", none, marker));
  IN_CHILD(syscall(SYS_execve, "/proc/self/exe", NULL, marker));
  return 0;
}
