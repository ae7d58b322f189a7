// Threads share descriptors: one closes what another reads from, unshare(CLONE_FILES), numbers
// under contention.
#include <pthread.h>
#include <sched.h>

#include "check.h"

static int ends[2];
static volatile pid_t reader_id;
static char got;

static void* Reader(void* unused) {
  reader_id = (pid_t)syscall(SYS_gettid);
  CHECK_EQ(read(ends[0], &got, 1), 1);
  return unused;
}

static void* OpenClose(void* unused) {
  for (int i = 0; i < 500; i++) {
    int fd = (int)CHECK_OK(open("/dev/null", O_RDONLY | O_CLOEXEC));
    int copy = (int)CHECK_OK(fcntl(fd, F_DUPFD_CLOEXEC, 10));
    CHECK(copy >= 10 && copy != fd);
    CHECK_OK(close(fd));  // EBADF if two ever got the same number
    CHECK_OK(close(copy));
  }
  return unused;
}

static void* Unshared(void* unused) {
  CHECK_OK(unshare(CLONE_FILES));
  CHECK_OK(close(ends[0]));
  CHECK_EQ(dup2(ends[1], 200), 200);
  return unused;
}

static pthread_t Start(void* (*body)(void*)) {
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, body, NULL), 0);
  return thread;
}

int main(void) {
  // The number is closed under a sleeping reader: its read goes on with the open file.
  CHECK_OK(pipe(ends));
  pthread_t reader = Start(Reader);
  while (reader_id == 0) Nap(1);
  AWAIT_STATE(reader_id, 'S');
  int closed = ends[0];
  CHECK_OK(close(closed));
  CHECK_EQ(write(ends[1], "x", 1), 1);
  CHECK_EQ(pthread_join(reader, NULL), 0);
  CHECK_EQ(got, 'x');
  signal(SIGPIPE, SIG_IGN);
  CHECK(EVENTUALLY(write(ends[1], "x", 1) == -1 && errno == EPIPE));
  close(ends[1]);

  pthread_t threads[4];
  for (int i = 0; i < 4; i++) threads[i] = Start(OpenClose);
  for (int i = 0; i < 4; i++) CHECK_EQ(pthread_join(threads[i], NULL), 0);

  CHECK_OK(pipe(ends));
  CHECK_EQ(pthread_join(Start(Unshared), NULL), 0);
  CHECK_OK(fcntl(ends[0], F_GETFD));
  CHECK_ERR(fcntl(200, F_GETFD), EBADF);
  return 0;
}
