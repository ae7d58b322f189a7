// /proc/PID/task: threads as they come and go, with files of their own.
#include "proc.h"

static atomic_int tid;
static atomic_bool stop;
static void* Stay(void* arg) {
  tid = Gettid();
  while (!stop) Nap(1);
  return arg;
}

int main(void) {
  CHECK_EQ(CountTasks(), 1);
  pthread_t thread = StartThread(Stay, NULL);
  CHECK(EVENTUALLY(tid));
  CHECK_EQ(CountTasks(), 2);
  char path[64], text[4096], wanted[64];
  snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)tid);
  ReadText(path, text, sizeof text);
  snprintf(wanted, sizeof wanted, "\nPid:\t%d\n", (int)tid);
  CHECK(strstr(text, wanted) != NULL);
  snprintf(wanted, sizeof wanted, "\nTgid:\t%d\n", (int)getpid());
  CHECK(strstr(text, wanted) != NULL);
  // A thread's number names it at the top too, but is not listed there.
  snprintf(path, sizeof path, "/proc/%d/stat", (int)tid);
  ReadText(path, text, sizeof text);
  CHECK_EQ(atoi(text), tid);
  DIR* dir = opendir("/proc");
  CHECK(dir != NULL);
  for (struct dirent* entry; (entry = readdir(dir));) CHECK(atoi(entry->d_name) != tid);
  closedir(dir);
  stop = true;
  JoinThread(thread);
  CHECK(EVENTUALLY(CountTasks() == 1));
  snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)tid);
  CHECK_ERR(open(path, O_RDONLY), ENOENT);
  snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)getppid());
  CHECK_ERR(open(path, O_RDONLY), ENOENT);  // not a thread of ours
  return 0;
}
