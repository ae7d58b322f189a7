// F_SETLEASE: who may have a lease, and what happens to it when others open or truncate the file.
#include "proc.h"

static volatile sig_atomic_t count;
static siginfo_t last;
static int held = -1, answer = -1;  // what the handler makes of the lease; -1: nothing
static void OnBreak(int number, siginfo_t* info, void* context) {
  (void)number;
  (void)context;
  last = *info;
  count++;
  if (answer >= 0) fcntl(held, F_SETLEASE, answer);
}

static int Open(int flags) { return (int)CHECK_OK(open("file", flags)); }
// Another process opens; its exit status is the errno, 0 if it could.
static int TryOpen(int flags) {
  pid_t pid = Fork();
  if (pid == 0) {
    int fd = open("file", flags);
    _exit(fd < 0 ? errno : 0);
  }
  int status;
  while (waitpid(pid, &status, 0) == -1) CHECK_EQ(errno, EINTR);
  CHECK(WIFEXITED(status));
  return WEXITSTATUS(status);
}

static void CheckWhoMay(void) {
  int reader = Open(O_RDONLY), ends[2];
  CHECK_EQ(fcntl(reader, F_GETLEASE), F_UNLCK);
  CHECK_ERR(fcntl(reader, F_SETLEASE, F_UNLCK), EAGAIN);
  CHECK_ERR(fcntl(reader, F_SETLEASE, 99), EINVAL);
  CHECK_OK(fcntl(reader, F_SETLEASE, F_RDLCK));
  CHECK_EQ(fcntl(reader, F_GETLEASE), F_RDLCK);
  CHECK_EQ(fcntl(reader, F_GETOWN), getpid());
  CHECK_OK(fcntl(reader, F_SETLEASE, F_WRLCK));
  CHECK_EQ(fcntl(reader, F_GETLEASE), F_WRLCK);
  CHECK_OK(fcntl(reader, F_SETLEASE, F_UNLCK));
  CHECK_EQ(fcntl(reader, F_GETLEASE), F_UNLCK);
  CHECK_EQ(fcntl(reader, F_GETOWN), 0);
  // A read lease while nobody has it open for writing, a write lease while nobody else has it open.
  int second = Open(O_RDONLY);
  CHECK_ERR(fcntl(reader, F_SETLEASE, F_WRLCK), EAGAIN);
  CHECK_OK(fcntl(reader, F_SETLEASE, F_RDLCK));
  CHECK_OK(fcntl(second, F_SETLEASE, F_RDLCK));
  CHECK_OK(fcntl(second, F_SETLEASE, F_UNLCK));
  CHECK_OK(fcntl(reader, F_SETLEASE, F_UNLCK));
  close(second);
  int writer = Open(O_RDWR);
  CHECK_ERR(fcntl(reader, F_SETLEASE, F_RDLCK), EAGAIN);
  CHECK_ERR(fcntl(writer, F_SETLEASE, F_RDLCK), EAGAIN);
  CHECK_ERR(fcntl(writer, F_SETLEASE, F_WRLCK), EAGAIN);
  close(reader);
  CHECK_OK(fcntl(writer, F_SETLEASE, F_WRLCK));
  // The lease is the open file's: it goes with the last descriptor.
  int copy = (int)CHECK_OK(dup(writer));
  CHECK_EQ(fcntl(copy, F_GETLEASE), F_WRLCK);
  close(writer);
  CHECK_EQ(fcntl(copy, F_GETLEASE), F_WRLCK);
  pid_t pid = Fork();
  if (pid == 0) {
    CHECK_EQ(fcntl(copy, F_GETLEASE), F_WRLCK);
    CHECK_OK(fcntl(copy, F_SETLEASE, F_UNLCK));
    _exit(0);
  }
  WAIT_EXIT(pid, 0);
  CHECK_EQ(fcntl(copy, F_GETLEASE), F_UNLCK);
  CHECK_OK(fcntl(copy, F_SETLEASE, F_WRLCK));
  close(copy);
  CHECK_EQ(TryOpen(O_RDWR | O_NONBLOCK), 0);
  // Regular files alone have leases, and who has neither the file nor CAP_LEASE none.
  CHECK_OK(pipe(ends));
  CHECK_ERR(fcntl(ends[0], F_SETLEASE, F_RDLCK), EINVAL);
  int directory = (int)CHECK_OK(open(".", O_RDONLY));
  CHECK_ERR(fcntl(directory, F_SETLEASE, F_RDLCK), EINVAL);
  int path = (int)CHECK_OK(open("file", O_PATH));
  CHECK_ERR(fcntl(path, F_SETLEASE, F_RDLCK), EBADF);
  CHECK_ERR(fcntl(path, F_GETLEASE), EBADF);
  CHECK_ERR(fcntl(-1, F_SETLEASE, F_RDLCK), EBADF);
  if (IsRoot()) {
    pid = Fork();
    if (pid == 0) {
      int mine = Open(O_RDONLY);
      BecomeNobody();
      CHECK_ERR(fcntl(mine, F_SETLEASE, F_RDLCK), EACCES);
      _exit(0);
    }
    WAIT_EXIT(pid, 0);
  }
  close(ends[0]), close(ends[1]), close(directory), close(path);
}

static void CheckBreak(void) {
  HandleInfo(SIGIO, OnBreak, SA_RESTART);
  HandleInfo(SIGRTMIN + 2, OnBreak, SA_RESTART);
  // A reader does not mind a read lease.
  held = Open(O_RDONLY);
  CHECK_OK(fcntl(held, F_SETLEASE, F_RDLCK));
  CHECK_EQ(TryOpen(O_RDONLY), 0);
  CHECK_EQ(count, 0);
  // A writer does; who does not want to wait is told so, the holder is told once.
  CHECK_EQ(TryOpen(O_WRONLY | O_NONBLOCK), EWOULDBLOCK);
  CHECK(EVENTUALLY(count == 1));
  CHECK_EQ(last.si_signo, SIGIO);
  CHECK_EQ(fcntl(held, F_GETLEASE), F_UNLCK);
  CHECK_EQ(TryOpen(O_RDWR | O_NONBLOCK), EWOULDBLOCK);
  CHECK_EQ(TryOpen(O_RDONLY | O_NONBLOCK), 0);
  Nap(5);
  CHECK_EQ(count, 1);
  int second = Open(O_RDONLY);
  CHECK_ERR(fcntl(second, F_SETLEASE, F_RDLCK), EAGAIN);  // one has to go
  close(second);
  CHECK_OK(fcntl(held, F_SETLEASE, F_UNLCK));
  CHECK_EQ(TryOpen(O_WRONLY | O_NONBLOCK), 0);

  // A write lease, with a signal that says more; the writer waits until it is gone.
  CHECK_OK(fcntl(held, F_SETLEASE, F_WRLCK));
  CHECK_OK(fcntl(held, F_SETSIG, SIGRTMIN + 2));
  count = 0;
  answer = F_UNLCK;
  CHECK_EQ(TryOpen(O_WRONLY), 0);
  CHECK_EQ(count, 1);
  CHECK_EQ(last.si_signo, SIGRTMIN + 2);
  CHECK_EQ(last.si_code, POLL_MSG);
  CHECK_EQ(last.si_fd, held);
  CHECK_EQ(last.si_band, 0x441);
  CHECK_EQ(fcntl(held, F_GETLEASE), F_UNLCK);
  CHECK_EQ(fcntl(held, F_GETSIG), 0);  // that goes with it

  // A reader wants no more than a read lease of it.
  CHECK_OK(fcntl(held, F_SETLEASE, F_WRLCK));
  count = 0;
  answer = F_RDLCK;
  CHECK_EQ(TryOpen(O_RDONLY), 0);
  CHECK_EQ(count, 1);
  CHECK_EQ(fcntl(held, F_GETLEASE), F_RDLCK);
  answer = -1;
  CHECK_OK(fcntl(held, F_SETLEASE, F_WRLCK));
  CHECK_EQ(TryOpen(O_RDONLY | O_NONBLOCK), EWOULDBLOCK);
  CHECK_EQ(fcntl(held, F_GETLEASE), F_RDLCK);
  CHECK_OK(fcntl(held, F_SETLEASE, F_RDLCK));

  // truncate(2) is a writer; so is open(O_TRUNC) of one, which leaves the file as it was until
  // then.
  CHECK_EQ(TryOpen(O_WRONLY | O_TRUNC | O_NONBLOCK), EWOULDBLOCK);
  struct stat about;
  CHECK_OK(stat("file", &about));
  CHECK_EQ(about.st_size, 5);
  CHECK_OK(fcntl(held, F_SETLEASE, F_UNLCK));
  CHECK_OK(fcntl(held, F_SETLEASE, F_RDLCK));
  count = 0;
  answer = F_UNLCK;
  CHECK_OK(truncate("file", 3));
  CHECK_EQ(count, 1);
  CHECK_OK(stat("file", &about));
  CHECK_EQ(about.st_size, 3);
  // What changes only names or attributes does not.
  CHECK_OK(fcntl(held, F_SETLEASE, F_WRLCK));
  CHECK_OK(chmod("file", 0600));
  CHECK_OK(link("file", "other"));
  CHECK_OK(unlink("other"));
  CHECK_OK(rename("file", "renamed"));
  CHECK_OK(rename("renamed", "file"));
  CHECK_EQ(count, 1);
  close(held);
}

static void OnAlarm(int number) { (void)number; }

static void CheckWaiting(void) {
  // Who waits can be interrupted; who closes lets him in.
  answer = -1;
  held = Open(O_RDONLY);
  CHECK_OK(fcntl(held, F_SETLEASE, F_WRLCK));
  count = 0;
  pid_t pid = Fork();
  if (pid == 0) {
    close(held);
    struct sigaction action = {.sa_handler = OnAlarm};
    CHECK_OK(sigaction(SIGALRM, &action, NULL));
    ualarm(30000, 0);
    CHECK_ERR(open("file", O_WRONLY), EINTR);
    int fd = (int)CHECK_OK(open("file", O_WRONLY));
    CHECK_EQ(write(fd, "x", 1), 1);
    _exit(0);
  }
  while (!EVENTUALLY(count >= 1)) {
  }
  Nap(60);
  close(held);
  WAIT_EXIT(pid, 0);
  // A writer who waits counts as one: the lease cannot become one that he would not mind.
  for (int truncates = 0; truncates < 2; truncates++) {
    held = Open(O_RDONLY);
    CHECK_OK(fcntl(held, F_SETLEASE, F_WRLCK));
    count = 0;
    pid = Fork();
    if (pid == 0) {
      close(held);
      if (truncates) CHECK_OK(truncate("file", 1));
      if (!truncates) CHECK_OK(open("file", O_RDWR));
      _exit(0);
    }
    while (!EVENTUALLY(count >= 1)) {
    }
    CHECK_ERR(fcntl(held, F_SETLEASE, F_RDLCK), EAGAIN);
    CHECK_OK(fcntl(held, F_SETLEASE, F_UNLCK));
    WAIT_EXIT(pid, 0);
    close(held);
  }
  // Nobody waits for longer than it is said in /proc.
  if (!IsRoot()) return;
  FILE* file = fopen("/proc/sys/fs/lease-break-time", "r+");
  if (!file) return;
  int before = 0;
  CHECK_EQ(fscanf(file, "%d", &before), 1);
  if (before == 45) {
    rewind(file);
    fprintf(file, "1\n");
    fflush(file);
    held = Open(O_RDONLY);
    CHECK_OK(fcntl(held, F_SETLEASE, F_WRLCK));
    int64_t started = NowMs();
    CHECK_EQ(TryOpen(O_RDONLY), 0);
    CHECK(NowMs() - started >= 900);
    CHECK_EQ(fcntl(held, F_GETLEASE), F_RDLCK);
    CHECK_EQ(TryOpen(O_WRONLY), 0);
    CHECK_EQ(fcntl(held, F_GETLEASE), F_UNLCK);
    close(held);
    rewind(file);
    fprintf(file, "%d\n", before);
  }
  fclose(file);
}

static void CheckExec(void) {
  // A program that is executed is opened, too.
  CHECK_OK(chmod("file", 0755));
  held = Open(O_RDONLY | O_CLOEXEC);
  CHECK_OK(fcntl(held, F_SETLEASE, F_WRLCK));
  count = 0;
  answer = F_UNLCK;
  pid_t pid = Fork();
  if (pid == 0) {
    char* arguments[] = {"file", NULL};
    execv("./file", arguments);
    _exit(errno);
  }
  int status;
  while (waitpid(pid, &status, 0) == -1) CHECK_EQ(errno, EINTR);
  CHECK_EQ(WEXITSTATUS(status), ENOEXEC);
  CHECK_EQ(count, 1);
  close(held);
}

int main(void) {
  TempDir();
  int fd = (int)CHECK_OK(open("file", O_RDWR | O_CREAT, 0644));
  CHECK_EQ(write(fd, "hello", 5), 5);
  close(fd);
  CheckWhoMay();
  CheckBreak();
  CheckWaiting();
  CheckExec();
  return 0;
}
