// Files of /proc/PID: what is written to them, and what stays when the process is gone.
#include <sys/prctl.h>

#include "check.h"

static void ReadText(const char* path, char* text, size_t size) {
  const int fd = open(path, O_RDONLY);
  CHECK(fd >= 0);
  const ssize_t count = read(fd, text, size - 1);
  CHECK(count >= 0);
  text[count] = 0;
  CHECK(close(fd) == 0);
}

static void CheckFilterIsKept(void) {
  char text[64];
  const int fd = open("/proc/self/coredump_filter", O_WRONLY | O_TRUNC);
  if (fd < 0) return;  // a kernel without core dumps
  CHECK(ftruncate(fd, 0) == 0);
  CHECK(write(fd, "0x7f", 4) == 4);
  CHECK_ERR(write(fd, "x", 1), EINVAL);
  CHECK(close(fd) == 0);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    ReadText("/proc/self/coredump_filter", text, sizeof text);
    _exit(strcmp(text, "0000007f\n") != 0);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

static void CheckSlack(void) {
  char text[64];
  CHECK(prctl(PR_SET_TIMERSLACK, 70000) == 0);
  ReadText("/proc/self/timerslack_ns", text, sizeof text);
  CHECK(strcmp(text, "70000\n") == 0);
  const int fd = open("/proc/self/timerslack_ns", O_WRONLY);
  CHECK(fd >= 0);
  CHECK(write(fd, "80000", 5) == 5);
  CHECK(close(fd) == 0);
  CHECK(prctl(PR_GET_TIMERSLACK) == 80000);
}

static void CheckTasks(void) {
  struct stat info;
  CHECK(stat("/proc/self/task", &info) == 0);
  CHECK(info.st_nlink == 3);
  char path[64], text[64], wanted[64];
  int gate[2];
  CHECK(pipe(gate) == 0);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    char byte;
    close(gate[1]);
    _exit(read(gate[0], &byte, 1) != 0);
  }
  snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
  if (access(path, R_OK) == 0) {
    ReadText(path, text, sizeof text);
    snprintf(wanted, sizeof wanted, "%d ", child);
    CHECK(strcmp(text, wanted) == 0);
  }
  // Another process's memory, while it lives and afterwards.
  static int marker = 4711;
  snprintf(path, sizeof path, "/proc/%d/mem", child);
  const int memory = open(path, O_RDONLY);
  CHECK(memory >= 0);
  int seen = 0;
  CHECK(pread(memory, &seen, sizeof seen, (off_t)(uintptr_t)&marker) == sizeof seen);
  CHECK(seen == 4711);
  snprintf(path, sizeof path, "/proc/%d/stat", child);
  const int stat_file = open(path, O_RDONLY);
  snprintf(path, sizeof path, "/proc/%d/wchan", child);
  const int constant = open(path, O_RDONLY);
  snprintf(path, sizeof path, "/proc/%d/task", child);
  const int tasks = open(path, O_RDONLY | O_DIRECTORY);
  CHECK(stat_file >= 0 && tasks >= 0);
  close(gate[1]);
  int status;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(pread(memory, &seen, sizeof seen, (off_t)(uintptr_t)&marker) == 0);
  CHECK_ERR(read(stat_file, text, sizeof text), ESRCH);
  if (constant >= 0) CHECK_ERR(read(constant, text, sizeof text), ESRCH);
  CHECK_ERR(syscall(SYS_getdents64, tasks, text, sizeof text), ENOENT);
}

static void CheckShared(void) {
  void* shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(shared != MAP_FAILED);
  FILE* maps = fopen("/proc/self/maps", "r");
  CHECK(maps != NULL);
  char line[512];
  bool found = false;
  while (fgets(line, sizeof line, maps))
    if (strtoull(line, NULL, 16) <= (uintptr_t)shared && strstr(line, "/dev/zero (deleted)"))
      found = true;
  fclose(maps);
  CHECK(found);
}

int main(void) {
  CheckFilterIsKept();
  CheckSlack();
  CheckTasks();
  CheckShared();
  return 0;
}
