// What a machine without a host has less of afterwards, in kB of free memory, for each kind of
// work:
//
//   leaks COUNT
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static long ReadFreeMemory(void) {
  char text[4096];
  int fd = open("/proc/meminfo", O_RDONLY);
  ssize_t size = read(fd, text, sizeof text - 1);
  close(fd);
  text[size < 0 ? 0 : size] = 0;
  const char* line = strstr(text, "MemFree:");
  if (!line) exit(1);
  return atol(line + 8);
}

// When no more comes back: the last process may still be on its way out.
static long FreeMemory(void) {
  long most = ReadFreeMemory();
  for (int same = 0; same < 5; same++) {
    usleep(100000);
    const long now = ReadFreeMemory();
    if (now <= most) continue;
    most = now;
    same = 0;
  }
  return most;
}

static void Spawn(int count) {
  char* words[] = {"/bin/true", NULL};
  while (count-- > 0) {
    pid_t pid;
    int status;
    if (posix_spawn(&pid, words[0], NULL, NULL, words, NULL) != 0 ||
        waitpid(pid, &status, 0) != pid || status != 0)
      exit(2);
  }
}

static void Fork(int count) {
  while (count-- > 0) {
    int status;
    pid_t pid = fork();
    if (pid == 0) _exit(3);
    if (waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 3) exit(3);
  }
}

static void* Nothing(void* argument) { return argument; }
static void Threads(int count) {
  while (count-- > 0) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, Nothing, NULL) != 0 || pthread_join(thread, NULL) != 0)
      exit(4);
  }
}

// A gigabyte from one to the next, so that each needs tables of its own.
static void Mappings(int count) {
  for (; count > 0; count--) {
    char* place = (char*)((uint64_t)0x1000000000 + ((uint64_t)count << 30));
    char* memory = mmap(place, 3 * 4096, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (memory != place) exit(5);
    memory[0] = memory[2 * 4096] = 1;
    if (munmap(memory, 4096) != 0 || munmap(memory + 4096, 2 * 4096) != 0) exit(6);
  }
}

int main(int argc, char** argv) {
  const int count = argc > 1 ? atoi(argv[1]) : 1000;
  static const struct {
    const char* name;
    void (*run)(int);
  } kWork[] = {{"exec", Spawn}, {"fork", Fork}, {"threads", Threads}, {"mappings", Mappings}};
  for (unsigned i = 0; i < sizeof kWork / sizeof kWork[0]; i++) {
    kWork[i].run(count / 3);  // what is kept for the next time
    long before = FreeMemory();
    kWork[i].run(count);
    printf("%s %ld\n", kWork[i].name, before - FreeMemory());
    fflush(stdout);
  }
  return 0;
}
