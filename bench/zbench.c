// Measures what system calls and processes cost, from the inside: the same static program runs
// natively, in a chroot, and in containers. Prints "name nanoseconds" lines, the least of many
// batches each.
//
//   zbench [--ms N] [NAME...]   all measurements, or those named; N milliseconds for each (100)
//   zbench --list               their names
//   zbench --time N COMMAND...  least time of N runs of a command, as "time nanoseconds"
//   zbench --boot               nanoseconds since the machine started (riscv64)
//   zbench --idle               says "ready", then sleeps until its standard input ends
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char directory[] = "/tmp/zbench-XXXXXX";
static char buffer[65536];
static char* self_path;

static void Die(const char* what) {
  fprintf(stderr, "zbench: %s: %s\n", what, strerror(errno));
  unlink("file");
  rmdir(directory);
  exit(1);
}

static void Must(int good, const char* what) {
  if (!good) Die(what);
}

static int64_t Now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void WaitFor(pid_t pid) {
  int status;
  Must(waitpid(pid, &status, 0) == pid && status == 0, "waiting for a child");
}

// ---- single calls ----

static int file = -1;

static void Null(long n) {
  while (n-- > 0) syscall(SYS_getpid);
}

static void PrepareFile(void) {
  file = open("file", O_RDWR | O_CREAT, 0644);
  Must(file >= 0 && pwrite(file, buffer, 65536, 0) == 65536, "making a file");
}
static void CloseFile(void) {
  close(file);
  unlink("file");
}
static void Read(long n) {
  while (n > 0) {
    lseek(file, 0, SEEK_SET);
    for (int i = 0; i < 16 && n > 0; i++, n--) Must(read(file, buffer, 4096) == 4096, "read");
  }
}
static void Write(long n) {
  while (n > 0) {
    lseek(file, 0, SEEK_SET);
    for (int i = 0; i < 16 && n > 0; i++, n--) Must(write(file, buffer, 4096) == 4096, "write");
  }
}
static void Pread(long n) {
  while (n-- > 0) Must(pread(file, buffer, 4096, (n & 15) * 4096) == 4096, "pread");
}
static void Fstat(long n) {
  struct stat st;
  while (n-- > 0) Must(fstat(file, &st) == 0, "fstat");
}
static void Stat(long n) {
  struct stat st;
  while (n-- > 0) Must(stat("file", &st) == 0, "stat");
}
static void OpenClose(long n) {
  while (n-- > 0) {
    int fd = open("file", O_RDONLY);
    Must(fd >= 0, "open");
    close(fd);
  }
}
static void CreateUnlink(long n) {
  while (n-- > 0) {
    int fd = open("new", O_WRONLY | O_CREAT | O_EXCL, 0644);
    Must(fd >= 0 && write(fd, buffer, 4096) == 4096, "create");
    close(fd);
    Must(unlink("new") == 0, "unlink");
  }
}

static int ready = -1, idle = -1, set = -1;
static void PrepareEpoll(void) {
  set = epoll_create1(0), ready = eventfd(1, 0), idle = eventfd(0, 0);
  struct epoll_event event = {.events = EPOLLIN};
  Must(epoll_ctl(set, EPOLL_CTL_ADD, ready, &event) == 0, "epoll_ctl");
  Must(epoll_ctl(set, EPOLL_CTL_ADD, idle, &event) == 0, "epoll_ctl");
}
static void CloseEpoll(void) { close(set), close(ready), close(idle); }
static void EpollWait(long n) {
  struct epoll_event events[8];
  while (n-- > 0) Must(epoll_wait(set, events, 8, -1) == 1, "epoll_wait");
}

// What a descriptor costs where many are open already.
enum { kManyFds = 10000 };
static int many[kManyFds];
static void OpenMany(void) {
  const struct rlimit limit = {kManyFds + 100, kManyFds + 100};
  setrlimit(RLIMIT_NOFILE, &limit);
  PrepareFile();
  for (int i = 0; i < kManyFds; i++) Must((many[i] = dup(file)) >= 0, "dup");
}
static void CloseMany(void) {
  for (int i = 0; i < kManyFds; i++) close(many[i]);
  CloseFile();
}

// ---- signals and memory ----

static void OnSignal(int number) { (void)number; }
static void SignalSelf(long n) {
  signal(SIGUSR1, OnSignal);
  pid_t pid = getpid();
  while (n-- > 0) kill(pid, SIGUSR1);
}

static char* guarded;
static void OnFault(int number) {
  (void)number;
  mprotect(guarded, 4096, PROT_READ | PROT_WRITE);
}
static void Fault(long n) {
  guarded = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  Must(guarded != MAP_FAILED, "mmap");
  signal(SIGSEGV, OnFault);
  while (n-- > 0) {
    *(volatile char*)guarded = 1;
    mprotect(guarded, 4096, PROT_READ);
  }
  munmap(guarded, 4096);
  signal(SIGSEGV, SIG_DFL);
}

static char* Map(size_t size) {
  char* memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  Must(memory != MAP_FAILED, "mmap");
  return memory;
}
static void MapUnmap(long n) {
  while (n-- > 0) munmap(Map(16384), 16384);
}
static void MapTouch(long n) {
  while (n-- > 0) {
    char* memory = Map(16384);
    for (int i = 0; i < 4; i++) ((volatile char*)memory)[i * 4096] = 1;
    munmap(memory, 16384);
  }
}
// One operation is one page of 256 MiB.
enum { kTouchPages = (256 << 20) / 4096 };
static void PageTouch(long n) {
  for (; n > 0; n -= kTouchPages) {
    char* memory = Map((size_t)kTouchPages * 4096);
    madvise(memory, (size_t)kTouchPages * 4096, MADV_NOHUGEPAGE);
    for (long i = 0; i < kTouchPages; i++) ((volatile char*)memory)[i * 4096] = 1;
    munmap(memory, (size_t)kTouchPages * 4096);
  }
}

// ---- two sides ----

// Runs `n` round trips of one byte with a child over descriptors: mine is read here, theirs there.
static void PingPong(long n, int mine, int theirs, int to_them, int to_me) {
  pid_t pid = fork();
  Must(pid >= 0, "fork");
  char byte = 0;
  if (pid == 0) {
    while (n-- > 0)
      if (read(theirs, &byte, 1) != 1 || write(to_me, &byte, 1) != 1) _exit(1);
    _exit(0);
  }
  while (n-- > 0) Must(write(to_them, &byte, 1) == 1 && read(mine, &byte, 1) == 1, "ping-pong");
  WaitFor(pid);
}
static void PipePingPong(long n) {
  int up[2], down[2];
  Must(pipe(up) == 0 && pipe(down) == 0, "pipe");
  PingPong(n, up[0], down[0], down[1], up[1]);
  close(up[0]), close(up[1]), close(down[0]), close(down[1]);
}
static void SocketPingPong(long n) {
  int pair[2];
  Must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
  PingPong(n, pair[0], pair[1], pair[0], pair[1]);
  close(pair[0]), close(pair[1]);
}

static uint32_t turn;
static void FutexSide(long n, uint32_t mine) {
  while (n-- > 0) {
    uint32_t now;
    while ((now = __atomic_load_n(&turn, __ATOMIC_ACQUIRE)) != mine)
      syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, now, NULL, NULL, 0);
    __atomic_store_n(&turn, !mine, __ATOMIC_RELEASE);
    syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
  }
}
static void* FutexThread(void* n) {
  FutexSide((long)n, 1);
  return NULL;
}
static void FutexPingPong(long n) {
  pthread_t thread;
  Must(pthread_create(&thread, NULL, FutexThread, (void*)n) == 0, "pthread_create");
  FutexSide(n, 0);
  pthread_join(thread, NULL);
}

static void PipeBandwidth(long n) {  // one operation is 64 KiB
  int ends[2];
  Must(pipe(ends) == 0, "pipe");
  fcntl(ends[1], F_SETPIPE_SZ, 1 << 16);
  pid_t pid = fork();
  Must(pid >= 0, "fork");
  if (pid == 0) {
    close(ends[0]);
    while (n-- > 0)
      for (long left = sizeof buffer; left > 0;) {
        ssize_t wrote = write(ends[1], buffer, (size_t)left);
        if (wrote <= 0) _exit(1);
        left -= wrote;
      }
    _exit(0);
  }
  close(ends[1]);
  while (read(ends[0], buffer, sizeof buffer) > 0) {
  }
  close(ends[0]);
  WaitFor(pid);
}

// ---- processes and threads ----

static void ForkWait(long n) {
  while (n-- > 0) {
    pid_t pid = fork();
    if (pid == 0) _exit(0);
    WaitFor(pid);
  }
}
static void ForkExec(long n) {
  while (n-- > 0) {
    pid_t pid = fork();
    if (pid == 0) {
      execl(self_path, "zbench", "--exit", NULL);
      _exit(1);
    }
    WaitFor(pid);
  }
}
static void VforkExec(long n) {
  while (n-- > 0) {
    pid_t pid = vfork();
    if (pid == 0) {
      execl(self_path, "zbench", "--exit", NULL);
      _exit(1);
    }
    WaitFor(pid);
  }
}
static void* Nothing(void* arg) { return arg; }
static void ThreadJoin(long n) {
  while (n-- > 0) {
    pthread_t thread;
    Must(pthread_create(&thread, NULL, Nothing, NULL) == 0, "pthread_create");
    pthread_join(thread, NULL);
  }
}

// ---- the harness ----

static const struct Bench {
  const char* name;
  void (*run)(long);
  void (*before)(void);
  void (*after)(void);
  long least;  // operations in a batch, at the least
} benches[] = {
    {"null", Null, NULL, NULL, 1},
    {"read4k", Read, PrepareFile, CloseFile, 16},
    {"write4k", Write, PrepareFile, CloseFile, 16},
    {"pread4k", Pread, PrepareFile, CloseFile, 1},
    {"fstat", Fstat, PrepareFile, CloseFile, 1},
    {"stat", Stat, PrepareFile, CloseFile, 1},
    {"open_close", OpenClose, PrepareFile, CloseFile, 1},
    {"create_unlink", CreateUnlink, NULL, NULL, 1},
    {"signal", SignalSelf, NULL, NULL, 1},
    {"segv", Fault, NULL, NULL, 16},
    {"mmap_munmap", MapUnmap, NULL, NULL, 1},
    {"mmap_touch", MapTouch, NULL, NULL, 1},
    {"page_touch", PageTouch, NULL, NULL, kTouchPages},
    {"epoll", EpollWait, PrepareEpoll, CloseEpoll, 1},
    {"open_10000", OpenClose, OpenMany, CloseMany, 1},
    {"pipe_pingpong", PipePingPong, NULL, NULL, 1000},
    {"socket_pingpong", SocketPingPong, NULL, NULL, 1000},
    {"futex_pingpong", FutexPingPong, NULL, NULL, 1000},
    {"pipe64k", PipeBandwidth, NULL, NULL, 500},
    {"fork", ForkWait, NULL, NULL, 1},
    {"fork_exec", ForkExec, NULL, NULL, 1},
    {"vfork_exec", VforkExec, NULL, NULL, 1},
    {"thread", ThreadJoin, NULL, NULL, 1},
};
enum { kBenches = sizeof benches / sizeof benches[0] };

static int64_t Timed(const struct Bench* bench, long n) {
  int64_t start = Now();
  bench->run(n);
  return Now() - start;
}

// Batches of about a millisecond until the time is used up: the least one was disturbed the least.
static void Measure(const struct Bench* bench, int64_t budget) {
  if (bench->before) bench->before();
  long n = bench->least;
  int64_t time = Timed(bench, n);
  while (time < 1000000) {
    n *= time < 100000 ? 8 : 2;
    time = Timed(bench, n);
  }
  double least = (double)time / (double)n;
  int64_t end = Now() + budget;
  for (int i = 0; i < 3 || Now() < end; i++) {
    double each = (double)Timed(bench, n) / (double)n;
    if (each < least) least = each;
  }
  if (bench->after) bench->after();
  printf("%s %.1f\n", bench->name, least);
  fflush(stdout);
}

static int TimeCommand(int count, char** command) {
  int64_t least = INT64_MAX;
  for (int i = 0; i < count; i++) {
    int64_t start = Now();
    pid_t pid;
    int status = -1;
    errno = posix_spawnp(&pid, command[0], NULL, NULL, command, environ);
    Must(errno == 0, command[0]);
    waitpid(pid, &status, 0);
    int64_t time = Now() - start;
    if (status != 0) {
      fprintf(stderr, "zbench: %s: wait status %#x\n", command[0], (unsigned)status);
      return 1;
    }
    if (time < least) least = time;
  }
  printf("time %lld\n", (long long)least);
  return 0;
}

// The counter starts with the machine. Its frequency is that of QEMU's "virt" machine.
static void SayBootTime(void) {
#ifdef __riscv
  unsigned long ticks;
  __asm__ volatile("rdtime %0" : "=r"(ticks));
  printf("boot %lu\n", ticks * 100);
#endif
}

static const struct Bench* Find(const char* name) {
  for (int i = 0; i < kBenches; i++)
    if (strcmp(benches[i].name, name) == 0) return &benches[i];
  fprintf(stderr, "zbench: no measurement \"%s\"; --list names them\n", name);
  exit(2);
}

int main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "--exit") == 0) return 0;
  if (argc == 2 && strcmp(argv[1], "--boot") == 0) {
    SayBootTime();
    return 0;
  }
  if (argc == 2 && strcmp(argv[1], "--list") == 0) {
    for (int i = 0; i < kBenches; i++) puts(benches[i].name);
    return 0;
  }
  if (argc == 2 && strcmp(argv[1], "--idle") == 0) {
    puts("ready");
    fflush(stdout);
    while (read(STDIN_FILENO, buffer, sizeof buffer) > 0) {
    }
    return 0;
  }
  if (argc >= 4 && strcmp(argv[1], "--time") == 0) return TimeCommand(atoi(argv[2]), argv + 3);

  int64_t budget_ns = 100000000;
  int first = 1;
  if (argc >= 3 && strcmp(argv[1], "--ms") == 0) {
    budget_ns = atoll(argv[2]) * 1000000;
    first = 3;
  }
  self_path = realpath(argv[0], NULL);
  if (!self_path) self_path = "/proc/self/exe";
  Must(mkdtemp(directory) != NULL && chdir(directory) == 0, "a directory below /tmp");
  memset(buffer, 'z', sizeof buffer);
  for (int i = first; i < argc; i++) Measure(Find(argv[i]), budget_ns);
  for (int i = 0; argc == first && i < kBenches; i++) Measure(&benches[i], budget_ns);
  rmdir(directory);
  return 0;
}
