// /proc/PID/fdinfo/N: position and flags, and what each kind of file tells of itself; locks, and
// /proc/locks.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "proc.h"

static char text[8192];

static const char* Info(int fd) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  ReadText(path, text, sizeof text);
  return text;
}
#define CHECK_HAS(part) \
  if (!strstr(text, part)) FAIL("no \"%s\" in \"%s\"", part, text)

int main(void) {
  TempDir();
  // What all have.
  int file = (int)CHECK_OK(open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  CHECK_EQ(write(file, "some text", 9), 9);
  CHECK_OK(lseek(file, 7, SEEK_SET));
  struct stat status;
  CHECK_OK(fstat(file, &status));
  Info(file);
  CHECK_HAS("pos:\t7\nflags:\t02");
  CHECK_HAS("\nmnt_id:\t");
  char line[128];
  snprintf(line, sizeof line, "\nino:\t%llu\n", (unsigned long long)status.st_ino);
  if (strstr(text, "\nino:")) CHECK_HAS(line);  // Linux 5.14

  int event = (int)CHECK_OK(eventfd(11, 0));
  Info(event);
  CHECK_HAS("eventfd-count:                b\n");

  // epoll: a line for each file.
  int ends[2];
  CHECK_OK(pipe(ends));
  int poller = (int)CHECK_OK(epoll_create1(0));
  struct epoll_event wanted = {.events = EPOLLIN | EPOLLET, .data.u64 = 0x123456789};
  CHECK_OK(epoll_ctl(poller, EPOLL_CTL_ADD, ends[0], &wanted));
  CHECK_OK(fstat(ends[0], &status));
  Info(poller);
  snprintf(line, sizeof line,
           "tfd: %8d events: 80000019 data:        123456789  pos:0 ino:%llx sdev:", ends[0],
           (unsigned long long)status.st_ino);
  CHECK_HAS(line);

  // inotify: a line for each watch, the latest first.
  int watcher = (int)CHECK_OK(inotify_init1(0));
  CHECK_EQ(inotify_add_watch(watcher, ".", IN_CREATE | IN_ONESHOT), 1);
  CHECK_EQ(inotify_add_watch(watcher, "f", IN_ALL_EVENTS), 2);
  CHECK_OK(stat("f", &status));
  Info(watcher);
  snprintf(line, sizeof line, "inotify wd:2 ino:%llx sdev:", (unsigned long long)status.st_ino);
  CHECK_HAS(line);
  CHECK_HAS(" mask:fff ignored_mask:0 ");
  CHECK(strstr(text, "inotify wd:1 ") > strstr(text, "inotify wd:2 "));

  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  Info((int)CHECK_OK(signalfd(-1, &signals, 0)));
  CHECK_HAS("sigmask:\t0000000000000200\n");

  int timer = (int)CHECK_OK(timerfd_create(CLOCK_MONOTONIC, 0));
  struct itimerspec setting = {{1, 500}, {1000, 7}};
  CHECK_OK(timerfd_settime(timer, 0, &setting, NULL));
  Info(timer);
  CHECK_HAS("clockid: 1\nticks: 0\nsettime flags: 00\nit_value: (");
  CHECK_HAS("it_interval: (1, 500)\n");

#ifdef SYS_pidfd_open
  int process = (int)CHECK_OK(syscall(SYS_pidfd_open, getpid(), 0));
  Info(process);
  snprintf(line, sizeof line, "Pid:\t%d\n", (int)getpid());
  CHECK_HAS(line);
#endif

  // Locks belong to the file that they were taken through.
  struct flock lock = {.l_type = F_WRLCK, .l_start = 10, .l_len = 20};
  CHECK_OK(fcntl(file, F_SETLK, &lock));
  lock = (struct flock){.l_type = F_RDLCK, .l_start = 500};
  CHECK_OK(fcntl(file, F_OFD_SETLK, &lock));
  CHECK_OK(flock(file, LOCK_EX));
  Info(file);
  snprintf(line, sizeof line, ": POSIX  ADVISORY  WRITE %d ", (int)getpid());
  CHECK_HAS(line);
  CHECK_HAS(" 10 29\n");
  CHECK_HAS(": OFDLCK ADVISORY  READ -1 ");
  CHECK_HAS(" 500 EOF\n");
  snprintf(line, sizeof line, ": FLOCK  ADVISORY  WRITE %d ", (int)getpid());
  CHECK_HAS(line);
  int other = (int)CHECK_OK(open("f", O_RDWR));
  CHECK(!strstr(Info(other), "lock:"));
  ReadText("/proc/locks", text, sizeof text);
  snprintf(line, sizeof line, " %d ", (int)getpid());
  CHECK_HAS(line);
  CHECK_HAS("OFDLCK ADVISORY  READ -1 ");
  close(other);  // and with it all of the process's record locks
  CHECK(!strstr(Info(file), "POSIX"));
  return 0;
}
