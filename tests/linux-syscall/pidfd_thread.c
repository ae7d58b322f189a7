// pidfds of single threads (PIDFD_THREAD), whom a signal goes to, directories of /proc instead, and
// what a pidfd tells (PIDFD_GET_INFO).
#include <sys/ioctl.h>

#include "proc.h"

#ifndef SYS_process_mrelease
#define SYS_process_mrelease 448
#endif

enum { kThread = O_EXCL, kToThread = 1, kToProcess = 2, kToGroup = 4 };

struct Info {
  uint64_t mask, cgroup;
  uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
  int32_t exit_status;
};
#define GET_INFO _IOWR(0xff, 11, struct Info)

static long Send(int fd, int number, unsigned flags) {
  return syscall(SYS_pidfd_send_signal, fd, number, NULL, flags);
}
static int Open(pid_t pid, unsigned flags) { return (int)syscall(SYS_pidfd_open, pid, flags); }

static short Events(int fd, int timeout) {
  struct pollfd item = {.fd = fd, .events = POLLIN};
  CHECK_OK(poll(&item, 1, timeout));
  return item.revents;
}

static atomic_int tid, may_end, got;
static _Atomic pid_t taker;
static void OnSignal(int number) {
  (void)number;
  taker = Gettid();
  got++;
}
static void* Thread(void* arg) {
  tid = Gettid();
  while (!may_end) Nap(2);
  return arg;
}

static void CheckDirectories(void) {
  char path[64];
  const int own = (int)CHECK_OK(open("/proc/self", O_RDONLY | O_DIRECTORY));
  CHECK_OK(Send(own, 0, 0));
  CHECK_ERR(Send(own, 65, 0), EINVAL);
  CHECK_ERR(syscall(SYS_pidfd_getfd, own, 0, 0), EBADF);
  CHECK_ERR(waitid(P_PIDFD, (id_t)own, NULL, WEXITED | WNOHANG), EBADF);
  CHECK_ERR(Send((int)CHECK_OK(open("/proc/self", O_PATH)), 0, 0), EBADF);
  CHECK_ERR(Send((int)CHECK_OK(open("/proc", O_RDONLY)), 0, 0), EBADF);
  CHECK_ERR(Send((int)CHECK_OK(open("/proc/self/stat", O_RDONLY)), 0, 0), EBADF);
  CHECK_ERR(Send((int)CHECK_OK(open("/proc/self/task", O_RDONLY)), 0, 0), EBADF);
  snprintf(path, sizeof path, "/proc/self/task/%d", (int)getpid());
  CHECK_ERR(Send((int)CHECK_OK(open(path, O_RDONLY)), 0, 0), EBADF);
  snprintf(path, sizeof path, "/proc/%d", (int)tid);
  CHECK_OK(Send((int)CHECK_OK(open(path, O_RDONLY)), 0, 0));

  const pid_t pid = Fork();
  if (pid == 0)
    for (;;) pause();
  snprintf(path, sizeof path, "/proc/%d", (int)pid);
  const int fd = (int)CHECK_OK(open(path, O_RDONLY));
  CHECK_OK(Send(fd, SIGTERM, 0));
  AWAIT_STATE(pid, 'Z');
  CHECK_OK(Send(fd, SIGTERM, 0));
  WAIT_SIGNAL(pid, SIGTERM);
  CHECK_ERR(Send(fd, 0, 0), ESRCH);
}

static void CheckScopes(int thread, int process) {
  Handle(SIGUSR1, OnSignal, 0);
  CHECK_OK(Send(thread, SIGUSR1, 0));
  CHECK(EVENTUALLY(got == 1));
  CHECK_EQ(taker, tid);
  CHECK_OK(Send(process, SIGUSR1, kToThread));
  CHECK(EVENTUALLY(got == 2));
  CHECK_EQ(taker, getpid());
  Mask(SIG_BLOCK, SIGUSR1);
  CHECK_OK(Send(thread, SIGUSR1, kToProcess));
  CHECK(EVENTUALLY(got == 3));
  CHECK_EQ(taker, tid);
  Mask(SIG_UNBLOCK, SIGUSR1);
  CHECK_ERR(Send(thread, 0, 3), EINVAL);
  CHECK_ERR(Send(thread, 0, 8), EINVAL);
  CHECK_ERR(Send(thread, 0, kToGroup), ESRCH);  // its number is no process group's
}

static void CheckProcessGroup(void) {
  IN_CHILD({
    setpgid(0, 0);
    const pid_t member = Fork();
    if (member == 0)
      for (;;) pause();
    const int leader = Open(getpid(), 0);
    Handle(SIGUSR1, OnSignal, 0);
    CHECK_OK(Send(leader, SIGUSR1, kToGroup));
    WAIT_SIGNAL(member, SIGUSR1);
  });
}

static void CheckInfo(int thread, int process) {
  struct Info info = {0};
  if (ioctl(process, GET_INFO, &info) != 0) {
    CHECK_EQ(errno, ENOTTY);
    return;
  }
  CHECK_EQ(info.mask & 3, 3);
  CHECK(info.pid == (uint32_t)getpid() && info.tgid == info.pid &&
        info.ppid == (uint32_t)getppid());
  CHECK(info.ruid == getuid() && info.egid == getegid() && info.fsuid == geteuid());
  CHECK_OK(ioctl(thread, GET_INFO, &info));
  CHECK(info.pid == (uint32_t)tid && info.tgid == (uint32_t)getpid());
  CHECK_ERR(ioctl(process, GET_INFO, NULL), EINVAL);
  CHECK_ERR(ioctl(process, GET_INFO, BAD_POINTER), EFAULT);
  CHECK_ERR(ioctl(process, _IOC(3, 0xff, 11, 63), &info), ENOTTY);
  struct {
    struct Info known;
    uint64_t more;
  } larger = {.more = 1};
  CHECK_OK(ioctl(process, _IOC(3, 0xff, 11, sizeof larger), &larger));
  CHECK_EQ(larger.more, 0);
}

static void CheckEnd(void) {
  const pid_t pid = Fork();
  if (pid == 0) _exit(5);
  const int process = Open(pid, 0), first = Open(pid, kThread);
  CHECK_EQ(Events(process, -1), POLLIN);
  CHECK_EQ(Events(first, -1), POLLIN);
  CHECK_ERR(syscall(SYS_process_mrelease, process, 0), ESRCH);
  struct Info info = {0};
  const bool has_info = ioctl(process, GET_INFO, &info) == 0;
  WAIT_EXIT(pid, 5);
  const short events = Events(process, -1);
  CHECK(events == (POLLIN | POLLHUP) || events == POLLIN);  // before Linux 6.9
  CHECK_EQ(Events(first, -1), events);
  if (!has_info) return;
  info.mask = 0;
  CHECK_ERR(ioctl(process, GET_INFO, &info), ESRCH);
  info.mask = 8;
  if (ioctl(process, GET_INFO, &info) != 0) return;  // before Linux 6.15
  CHECK_EQ(info.mask & 8, 8);
  CHECK_EQ(info.exit_status, 5 << 8);
}

static void CheckRelease(void) {
  const pid_t pid = Fork();
  if (pid == 0)
    for (;;) pause();
  const int fd = Open(pid, 0);
  CHECK_ERR(syscall(SYS_process_mrelease, fd, 1), EINVAL);
  CHECK_ERR(syscall(SYS_process_mrelease, -1, 0), EBADF);
  CHECK_ERR(syscall(SYS_process_mrelease, 0, 0), EBADF);
  CHECK_ERR(syscall(SYS_process_mrelease, fd, 0), EINVAL);  // it has not been killed
  CHECK_OK(kill(pid, SIGKILL));
  if (syscall(SYS_process_mrelease, fd, 0) != 0) CHECK_EQ(errno, ESRCH);  // it was faster
  WAIT_SIGNAL(pid, SIGKILL);
  CHECK_ERR(syscall(SYS_process_mrelease, fd, 0), ESRCH);
}

int main(void) {
  const int process = Open(getpid(), 0);
  if (process == -1 && errno == ENOSYS) SKIP("no pidfd_open");
  const pthread_t running = StartThread(Thread, NULL);
  CHECK(EVENTUALLY(tid != 0));
  CheckDirectories();
  CheckProcessGroup();
  const int thread = Open(tid, kThread);
  if (thread == -1 && errno == EINVAL) SKIP("no PIDFD_THREAD");
  CHECK(thread >= 0);
  CHECK_EQ(fcntl(thread, F_GETFL) & kThread, kThread);
  CHECK_ERR(waitid(P_PIDFD, (id_t)thread, NULL, WEXITED | WNOHANG), ECHILD);
  CheckScopes(thread, process);
  CheckInfo(thread, process);
  CHECK_EQ(Events(thread, 0), 0);
  may_end = 1;
  JoinThread(running);
  CHECK(EVENTUALLY(Events(thread, -1) == (POLLIN | POLLHUP)));
  CHECK_EQ(Events(process, 0), 0);
  CHECK_ERR(Send(thread, 0, 0), ESRCH);
  CHECK_ERR(Send(thread, 0, kToProcess), ESRCH);
  CHECK_ERR(syscall(SYS_pidfd_getfd, thread, 0, 0), ESRCH);
  CheckEnd();
  if (syscall(SYS_process_mrelease, -1, 0) != -1 || errno != ENOSYS) CheckRelease();
  return 0;
}
