// A thousand forks in a row, then sixty children alive at once.
#include "proc.h"

enum { kAlive = 60 };

int main(void) {
  int* shared = SharedPage();
  for (int i = 0; i < 1000; i++) {
    pid_t pid = Fork();
    if (pid == 0) {
      ++*shared;
      _exit(i & 0x7f);
    }
    int status = WAIT_STATUS(pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == (i & 0x7f));
  }
  CHECK_EQ(*shared, 1000);

  int gate[2];
  pid_t pids[kAlive];
  CHECK_OK(pipe(gate));
  for (int i = 0; i < kAlive; i++) {
    pids[i] = Fork();
    for (int j = 0; pids[i] != 0 && j < i; j++) CHECK(pids[i] != pids[j]);
    if (pids[i] != 0) continue;
    char byte;
    close(gate[1]);
    _exit(read(gate[0], &byte, 1) == 0 ? i : 255);
  }
  close(gate[1]);  // all wake at once
  bool seen[kAlive] = {false};
  for (int n = 0; n < kAlive; n++) {
    int status;
    pid_t pid = (pid_t)CHECK_OK(wait(&status));
    CHECK(WIFEXITED(status));
    int i = WEXITSTATUS(status);
    CHECK(i < kAlive && !seen[i] && pids[i] == pid);
    seen[i] = true;
  }
  CHECK_ERR(wait(NULL), ECHILD);
  return 0;
}
