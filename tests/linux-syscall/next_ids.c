// proc_sys_kernel(5): the numbers that the next object of System V IPC and the next process get, as
// who restores them asks. Others may come first: then it is tried again.
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include "check.h"

static void WriteNumber(const char* path, int number) {
  char text[32];
  snprintf(text, sizeof text, "%d", number);
  WriteFile(path, text);
}

static int NewQueue(void) { return (int)CHECK_OK(msgget(IPC_PRIVATE, 0600)); }
static void EndQueue(int id) { CHECK_OK(msgctl(id, IPC_RMID, NULL)); }
static int NewSet(void) { return (int)CHECK_OK(semget(IPC_PRIVATE, 1, 0600)); }
static void EndSet(int id) { CHECK_OK(semctl(id, 0, IPC_RMID)); }
static int NewSegment(void) { return (int)CHECK_OK(shmget(IPC_PRIVATE, 4096, 0600)); }
static void EndSegment(int id) { CHECK_OK(shmctl(id, IPC_RMID, NULL)); }

static void Test(const char* path, int (*make)(void), void (*end)(int)) {
  bool got = false;
  for (int i = 0; i < 20 && !got; i++) {
    const int wanted = 7 * 32768 + 1000 + i;
    WriteNumber(path, wanted);
    const int id = make();
    got = id == wanted;
    if (got) {
      // Used once; and what is taken is passed over.
      const int other = make();
      CHECK(other != wanted);
      end(other);
      WriteNumber(path, wanted);
      const int behind = make();
      CHECK(behind != wanted);
      end(behind);
    }
    end(id);
  }
  if (!got) FAIL("%s", path);
  int fd = (int)CHECK_OK(open(path, O_WRONLY));
  CHECK_ERR(write(fd, "-2", 2), EINVAL);
  CHECK_OK(close(fd));
}

static void TestPid(void) {
  bool got = false;
  for (int i = 0; i < 50 && !got; i++) {
    const int wanted = 20000 + 10 * i;
    WriteNumber("/proc/sys/kernel/ns_last_pid", wanted - 1);
    pid_t child = (pid_t)CHECK_OK(fork());
    if (child == 0) _exit(0);
    CHECK_OK(waitpid(child, NULL, 0));
    got = child == wanted;
  }
  CHECK(got);
}

int main(void) {
  if (!IsRoot() || access("/proc/sys/kernel/msg_next_id", W_OK) != 0) return 77;
  Test("/proc/sys/kernel/msg_next_id", NewQueue, EndQueue);
  Test("/proc/sys/kernel/sem_next_id", NewSet, EndSet);
  Test("/proc/sys/kernel/shm_next_id", NewSegment, EndSegment);
  if (access("/proc/sys/kernel/ns_last_pid", W_OK) == 0) TestPid();
  return 0;
}
