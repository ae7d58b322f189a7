// Writes of at most PIPE_BUF bytes by several processes do not mix.
#include "check.h"

enum { kWriters = 4, kRecords = 60, kSize = PIPE_BUF };

static void ReadFully(int fd, char* to, size_t size) {
  while (size > 0) {
    ssize_t n = CHECK_OK(read(fd, to, size));
    CHECK(n > 0);
    to += n;
    size -= (size_t)n;
  }
}

int main(void) {
  int ends[2];
  CHECK_OK(pipe(ends));
  pid_t pids[kWriters];
  for (int w = 0; w < kWriters; w++) {
    pids[w] = Fork();
    if (pids[w] == 0) {
      close(ends[0]);
      char record[kSize];
      memset(record, 'a' + w, sizeof record);
      for (int i = 0; i < kRecords; i++) CHECK_EQ(write(ends[1], record, kSize), kSize);
      _exit(0);
    }
  }
  close(ends[1]);
  int count[kWriters] = {0};
  for (int i = 0; i < kWriters * kRecords; i++) {
    char record[kSize];
    ReadFully(ends[0], record, kSize);
    for (int j = 1; j < kSize; j++) CHECK(record[j] == record[0]);
    count[record[0] - 'a']++;
  }
  char c;
  CHECK_EQ(read(ends[0], &c, 1), 0);
  for (int w = 0; w < kWriters; w++) {
    CHECK_EQ(count[w], kRecords);
    WAIT_EXIT(pids[w], 0);
  }
  return 0;
}
