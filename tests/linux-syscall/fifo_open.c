// FIFOs: who waits for whom in open(2), O_NONBLOCK, O_RDWR, end of file and new writers.
#include <poll.h>

#include "check.h"

int main(void) {
  TempDir();
  CHECK_OK(mkfifo("p", 0600));
  CHECK_ERR(mkfifo("p", 0600), EEXIST);
  CHECK_ERR(open("p", O_WRONLY | O_NONBLOCK), ENXIO);
  int reader = (int)CHECK_OK(open("p", O_RDONLY | O_NONBLOCK));
  char text[8];
  CHECK_EQ(read(reader, text, 8), 0);  // no writer yet
  int writer = (int)CHECK_OK(open("p", O_WRONLY | O_NONBLOCK));
  CHECK_ERR(read(reader, text, 8), EAGAIN);
  CHECK_EQ(write(writer, "ab", 2), 2);
  close(writer);
  CHECK_EQ(read(reader, text, 8), 2);
  CHECK_EQ(read(reader, text, 8), 0);
  struct pollfd poll_reader = {reader, POLLIN, 0};
  CHECK_EQ(poll(&poll_reader, 1, 0), 1);
  CHECK_EQ(poll_reader.revents, POLLHUP);
  writer = (int)CHECK_OK(open("p", O_WRONLY));
  CHECK_EQ(poll(&poll_reader, 1, 0), 0);
  close(writer);
  close(reader);

  // Blocking: a reader and a writer let each other in.
  pid_t pid = Fork();
  if (pid == 0) {
    int fd = (int)CHECK_OK(open("p", O_WRONLY));
    CHECK_EQ(write(fd, "hello", 5), 5);
    _exit(0);
  }
  LetBlock(pid);
  reader = (int)CHECK_OK(open("p", O_RDONLY));
  CHECK_EQ(read(reader, text, 8), 5);
  CHECK_EQ(read(reader, text, 8), 0);
  WAIT_EXIT(pid, 0);
  close(reader);
  pid = Fork();
  if (pid == 0) {
    int fd = (int)CHECK_OK(open("p", O_RDONLY));
    CHECK_EQ(read(fd, text, 8), 1);
    _exit(0);
  }
  LetBlock(pid);
  writer = (int)CHECK_OK(open("p", O_WRONLY));
  CHECK_EQ(write(writer, "y", 1), 1);
  WAIT_EXIT(pid, 0);
  signal(SIGPIPE, SIG_IGN);
  CHECK_ERR(write(writer, "y", 1), EPIPE);
  close(writer);

  // A signal ends the wait.
  int told[2];
  CHECK_OK(pipe(told));
  pid = Fork();
  if (pid == 0) {
    CHECK_EQ(write(told[1], "r", 1), 1);
    open("p", O_RDONLY);
    _exit(1);
  }
  CHECK_EQ(read(told[0], text, 1), 1);
  LetBlock(pid);
  CHECK_OK(kill(pid, SIGTERM));
  WAIT_SIGNAL(pid, SIGTERM);

  // Linux: O_RDWR never waits, and keeps both ends open. Names may go.
  int both = (int)CHECK_OK(open("p", O_RDWR | O_NONBLOCK));
  CHECK_OK(unlink("p"));
  CHECK_EQ(write(both, "self", 4), 4);
  CHECK_EQ(read(both, text, 8), 4);
  CHECK_ERR(read(both, text, 8), EAGAIN);
  CHECK_ERR(lseek(both, 0, SEEK_CUR), ESPIPE);
  CHECK_ERR(ftruncate(both, 0), EINVAL);
  return 0;
}
