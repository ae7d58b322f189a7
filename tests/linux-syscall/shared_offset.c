// One description in several processes: each write gets a place of its own, each byte is read once.
#include "check.h"

enum { kProcesses = 4, kRecords = 200, kSize = 16 };

int main(void) {
  TempDir();
  int fd = (int)CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
  pid_t pids[kProcesses];
  for (int p = 0; p < kProcesses; p++) {
    pids[p] = Fork();
    if (pids[p] == 0) {
      char record[kSize];
      memset(record, 'a' + p, sizeof record);
      for (int i = 0; i < kRecords; i++) CHECK_EQ(write(fd, record, kSize), kSize);
      _exit(0);
    }
  }
  for (int p = 0; p < kProcesses; p++) WAIT_EXIT(pids[p], 0);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), kProcesses * kRecords * kSize);
  CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
  int* count = (int*)CHECK_MAP(
      mmap(NULL, PageSize(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  for (int p = 0; p < kProcesses; p++) {
    pids[p] = Fork();
    if (pids[p] == 0) {
      char record[kSize];
      while (CHECK_OK(read(fd, record, kSize)) == kSize) {
        for (int i = 1; i < kSize; i++) CHECK_EQ(record[i], record[0]);
        __atomic_fetch_add(&count[record[0] - 'a'], 1, __ATOMIC_SEQ_CST);
      }
      _exit(0);
    }
  }
  for (int p = 0; p < kProcesses; p++) WAIT_EXIT(pids[p], 0);
  for (int p = 0; p < kProcesses; p++) CHECK_EQ(count[p], kRecords);
  return 0;
}
