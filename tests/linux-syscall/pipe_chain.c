// Ten processes in a row of pipes, as a shell makes them; each ends when the one before it does.
#include "check.h"

int main(void) {
  int first[2], previous;
  CHECK_OK(pipe(first));
  previous = first[0];
  pid_t pids[10];
  for (int i = 0; i < 10; i++) {
    int next[2];
    CHECK_OK(pipe(next));
    pids[i] = Fork();
    if (pids[i] == 0) {
      close(first[1]);
      close(next[0]);
      unsigned char buffer[1000];
      ssize_t n;
      while ((n = CHECK_OK(read(previous, buffer, sizeof buffer))) > 0) {
        for (ssize_t j = 0; j < n; j++) buffer[j]++;
        CHECK_EQ(write(next[1], buffer, (size_t)n), n);
      }
      _exit(i);
    }
    close(previous);
    close(next[1]);
    previous = next[0];
  }
  pid_t feeder = Fork();
  if (feeder == 0) {
    close(previous);
    for (int i = 0; i < 2000; i++) {
      unsigned char block[100];
      memset(block, i % 200, sizeof block);
      CHECK_EQ(write(first[1], block, sizeof block), sizeof block);
    }
    _exit(0);
  }
  close(first[1]);
  long total = 0;
  unsigned char buffer[777];
  ssize_t n;
  while ((n = CHECK_OK(read(previous, buffer, sizeof buffer))) > 0) {
    for (ssize_t i = 0; i < n; i++, total++) CHECK(buffer[i] == total / 100 % 200 + 10);
  }
  CHECK_EQ(total, 200000);
  for (int i = 0; i < 10; i++) WAIT_EXIT(pids[i], i);
  WAIT_EXIT(feeder, 0);
  return 0;
}
