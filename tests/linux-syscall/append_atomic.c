// O_APPEND: writes of several processes through descriptions of their own neither mix nor get lost.
#include "check.h"

enum { kWriters = 4, kRecords = 100, kSize = 100 };

int main(void) {
  TempDir();
  WriteFile("log", "");
  pid_t pids[kWriters];
  for (int w = 0; w < kWriters; w++) {
    pids[w] = Fork();
    if (pids[w] == 0) {
      int fd = (int)CHECK_OK(open("log", O_WRONLY | O_APPEND));
      char record[kSize];
      memset(record, 'a' + w, sizeof record);
      for (int i = 0; i < kRecords; i++) CHECK_EQ(write(fd, record, kSize), kSize);
      _exit(0);
    }
  }
  for (int w = 0; w < kWriters; w++) WAIT_EXIT(pids[w], 0);
  int fd = (int)CHECK_OK(open("log", O_RDONLY)), count[kWriters] = {0};
  char record[kSize];
  while (CHECK_OK(read(fd, record, kSize)) == kSize) {
    for (int i = 1; i < kSize; i++) CHECK_EQ(record[i], record[0]);
    count[record[0] - 'a']++;
  }
  for (int w = 0; w < kWriters; w++) CHECK_EQ(count[w], kRecords);
  return 0;
}
