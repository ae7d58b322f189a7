// O_DIRECT pipes: each write is a packet, each read takes one.
#include "check.h"

int main(void) {
  int ends[2];
  CHECK_OK(pipe2(ends, O_DIRECT | O_NONBLOCK));
  CHECK(fcntl(ends[1], F_GETFL) & O_DIRECT);
  char text[PIPE_BUF + 100];
  CHECK_EQ(write(ends[1], "one", 3), 3);
  CHECK_EQ(write(ends[1], "second", 6), 6);
  CHECK_EQ(write(ends[1], "3", 1), 1);
  CHECK_EQ(read(ends[0], text, sizeof text), 3);
  CHECK_MEM(text, "one", 3);
  CHECK_EQ(read(ends[0], text, 2), 2);  // the rest of the packet is lost
  CHECK_MEM(text, "se", 2);
  CHECK_EQ(read(ends[0], text, sizeof text), 1);
  CHECK_EQ(text[0], '3');
  CHECK_ERR(read(ends[0], text, sizeof text), EAGAIN);
  // More than PIPE_BUF is split.
  memset(text, 'x', sizeof text);
  CHECK_EQ(write(ends[1], text, sizeof text), sizeof text);
  CHECK_EQ(read(ends[0], text, sizeof text), PIPE_BUF);
  CHECK_EQ(read(ends[0], text, sizeof text), 100);
  // Back to a stream by F_SETFL: what is written from then on joins.
  CHECK_OK(fcntl(ends[1], F_SETFL, O_NONBLOCK));
  CHECK_EQ(write(ends[1], "a", 1), 1);
  CHECK_EQ(write(ends[1], "b", 1), 1);
  CHECK_EQ(read(ends[0], text, sizeof text), 2);
  return 0;
}
