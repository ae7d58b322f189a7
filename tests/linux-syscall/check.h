// What every program here shares: assertions that say where and why, a private directory, children,
// skips.
//
// A program passes with status 0, fails with 1 and a line on stderr, is skipped with 77. It must
// not need root, a quiet machine, or anything outside its own directory: the same file runs on
// Linux itself (which says what is right), in zrun containers, and on other processors.
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t check_dir_owner_;
static char check_dir_[PATH_MAX];

// ---- failing and skipping ----

static inline const char* CheckBase_(const char* file) {
  const char* slash = strrchr(file, '/');
  return slash ? slash + 1 : file;
}

// The owner of the directory leaves through exit(), so that it is removed; a child must not run
// those handlers.
static inline _Noreturn void CheckLeave_(int status) {
  fflush(stderr);
  if (check_dir_owner_ != 0 && getpid() != check_dir_owner_) _exit(status);
  exit(status);
}

__attribute__((format(printf, 3, 4))) static inline _Noreturn void CheckFail_(const char* file,
                                                                              int line,
                                                                              const char* format,
                                                                              ...) {
  int error = errno;
  char text[1024];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  fprintf(stderr, "%s:%d: %s [errno %d, %s]\n", CheckBase_(file), line, text, error,
          strerror(error));
  CheckLeave_(1);
}

#define FAIL(...) CheckFail_(__FILE__, __LINE__, __VA_ARGS__)

// The whole program cannot run here. Part of one that only root can check is simply left out.
#define SKIP(why)                                                    \
  do {                                                               \
    fprintf(stderr, "%s: skipped: %s\n", CheckBase_(__FILE__), why); \
    CheckLeave_(77);                                                 \
  } while (0)

// ---- assertions ----

#define CHECK(condition)                             \
  do {                                               \
    if (!(condition)) FAIL("CHECK(%s)", #condition); \
  } while (0)

static inline long long CheckOk_(long long result, const char* text, const char* file, int line) {
  if (result == -1) CheckFail_(file, line, "%s failed", text);
  return result;
}
// The call must not return -1; yields its result.
#define CHECK_OK(call) CheckOk_((long long)(call), #call, __FILE__, __LINE__)
#define CHECK_MAP(call) ((char*)CheckOk_((long long)(call), #call, __FILE__, __LINE__))

static inline void CheckErr_(long long result, int error, const char* text, const char* file,
                             int line) {
  if (result != -1) CheckFail_(file, line, "%s gave %lld, not error %d", text, result, error);
  if (errno != error) {
    int got = errno;
    char wanted[64];
    snprintf(wanted, sizeof wanted, "%s", strerror(error));
    errno = got;
    CheckFail_(file, line, "%s: wanted errno %d (%s)", text, error, wanted);
  }
}
// The call must return -1 with this errno.
#define CHECK_ERR(call, error) \
  (errno = 0, CheckErr_((long long)(call), (error), #call, __FILE__, __LINE__))

static inline void CheckEq_(long long a, long long b, const char* text, const char* file,
                            int line) {
  if (a != b) CheckFail_(file, line, "%s: %lld (0x%llx) is not %lld (0x%llx)", text, a, a, b, b);
}
#define CHECK_EQ(got, wanted) \
  CheckEq_((long long)(got), (long long)(wanted), #got " == " #wanted, __FILE__, __LINE__)

static inline void CheckStr_(const char* a, const char* b, const char* text, const char* file,
                             int line) {
  if (strcmp(a, b) != 0) CheckFail_(file, line, "%s is \"%s\", not \"%s\"", text, a, b);
}
#define CHECK_STR(got, wanted) CheckStr_((got), (wanted), #got, __FILE__, __LINE__)

#define CHECK_MEM(got, wanted, size) CHECK(memcmp((got), (wanted), (size)) == 0)

// ---- who we are, time ----

static inline bool IsRoot(void) { return geteuid() == 0; }

// For a child of root: the user nobody, without groups or capabilities. Does nothing for others.
static inline void BecomeNobody(void) {
  if (!IsRoot()) return;
  CHECK_OK(setgroups(0, NULL));
  CHECK_OK(setresgid(65534, 65534, 65534));
  CHECK_OK(setresuid(65534, 65534, 65534));
}

static inline size_t PageSize(void) { return (size_t)sysconf(_SC_PAGESIZE); }

static inline void Nap(int milliseconds) {
  struct timespec left = {milliseconds / 1000, (milliseconds % 1000) * 1000000L};
  while (nanosleep(&left, &left) == -1 && errno == EINTR) {
  }
}

static inline int64_t NowMs(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Waits for a condition that another task is about to make true; yields whether it came. The end
// is for those that never do: on a busy machine a task may stand still for seconds.
#define EVENTUALLY(condition)                                                     \
  ({                                                                              \
    int64_t eventually_end_ = NowMs() + 20000;                                    \
    bool eventually_met_;                                                         \
    while (!(eventually_met_ = (condition)) && NowMs() < eventually_end_) Nap(2); \
    eventually_met_;                                                              \
  })

// The state letter of a process or thread; 0 when there is none of that number.
static inline char TaskState(pid_t tid) {
  char path[64], text[512];
  snprintf(path, sizeof path, "/proc/%d/stat", (int)tid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return 0;
  text[n] = 0;
  char* end = strrchr(text, ')');
  return end && end[1] == ' ' ? end[2] : 0;
}

// The task must come into this state: 'T' stopped, 'Z' zombie, 'S' asleep (for calls that must be
// seen blocked).
#define AWAIT_STATE(tid, state)                                                    \
  do {                                                                             \
    if (!EVENTUALLY(TaskState(tid) == (state)))                                    \
      FAIL("task %d is in state %c, not %c", (int)(tid), TaskState(tid), (state)); \
  } while (0)

// Gives a task time to fall asleep in a blocking call. Only makes the interesting interleaving
// likely: a test must pass for the other one too.
static inline void LetBlock(pid_t task) {
  for (int i = 0; i < 100; i++) {
    const char state = TaskState(task);
    if (state == 'S') return;
    if (state == 0) break;
    Nap(2);
  }
  Nap(10);
}

// Whatever is changed from now on gets a later time than what was changed before. The clock of file
// times goes on in steps, which a busy machine may be late with.
static inline void AwaitNextFileTime(void) {
  struct timespec before, now;
  clock_gettime(CLOCK_REALTIME_COARSE, &before);
  Nap(15);
  do {
    Nap(1);
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
  } while (now.tv_sec == before.tv_sec && now.tv_nsec == before.tv_nsec);
}

// ---- a private directory ----

static inline int CheckRemove_(const char* path, const struct stat* st, int flag,
                               struct FTW* where) {
  (void)st, (void)flag, (void)where;
  remove(path);
  return 0;
}
static inline int CheckOpenUp_(const char* path, const struct stat* st, int flag,
                               struct FTW* where) {
  (void)flag, (void)where;
  if (S_ISDIR(st->st_mode)) chmod(path, 0700);
  return 0;
}
static inline void CheckCleanUp_(void) {
  if (getpid() != check_dir_owner_ || chdir("/") != 0) return;
  nftw(check_dir_, CheckOpenUp_, 16, FTW_PHYS);
  nftw(check_dir_, CheckRemove_, 16, FTW_PHYS | FTW_DEPTH);
}

// Makes a fresh directory, enters it, and has it removed with all that is in it when the program
// ends. Everybody may search it, so that children that became nobody can work in directories made
// for them. Yields its absolute path.
static inline const char* TempDir(void) {
  const char* base = getenv("TMPDIR");
  if (!base || base[0] != '/') base = "/tmp";
  snprintf(check_dir_, sizeof check_dir_, "%s/zrun-test-XXXXXX", base);
  if (!mkdtemp(check_dir_)) FAIL("mkdtemp(%s)", check_dir_);
  check_dir_owner_ = getpid();
  atexit(CheckCleanUp_);
  CHECK_OK(chmod(check_dir_, 0755));
  CHECK_OK(chdir(check_dir_));
  return check_dir_;
}

static inline void WriteFile(const char* path, const char* text) {
  int fd = (int)CHECK_OK(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
  CHECK_OK(close(fd));
}

// ---- children ----

static inline pid_t Fork(void) {
  fflush(NULL);
  if (check_dir_owner_ == 0) check_dir_owner_ = getpid();
  return (pid_t)CHECK_OK(fork());
}

static inline int CheckWait_(pid_t pid, const char* file, int line) {
  int status;
  pid_t got;
  do got = waitpid(pid, &status, 0);
  while (got == -1 && errno == EINTR);
  if (got != pid) CheckFail_(file, line, "waitpid(%d) gave %d", (int)pid, (int)got);
  return status;
}
#define WAIT_STATUS(pid) CheckWait_((pid), __FILE__, __LINE__)

// The child must leave with this status; it has told why when it did not.
#define WAIT_EXIT(pid, code)                                                                \
  do {                                                                                      \
    int wait_status_ = WAIT_STATUS(pid);                                                    \
    if (!WIFEXITED(wait_status_) || WEXITSTATUS(wait_status_) != (code))                    \
      FAIL("child ended with wait status 0x%x, not exit status %d", (unsigned)wait_status_, \
           (code));                                                                         \
  } while (0)

#define WAIT_SIGNAL(pid, number)                                                                  \
  do {                                                                                            \
    int wait_status_ = WAIT_STATUS(pid);                                                          \
    if (!WIFSIGNALED(wait_status_) || WTERMSIG(wait_status_) != (number))                         \
      FAIL("child ended with wait status 0x%x, not signal %d", (unsigned)wait_status_, (number)); \
  } while (0)

// Runs the statements in a child, which must come to their end; they may use IN_CHILD themselves.
static _Thread_local pid_t check_child_ __attribute__((unused));
#define IN_CHILD(...)                   \
  do {                                  \
    if ((check_child_ = Fork()) == 0) { \
      __VA_ARGS__;                      \
      _exit(0);                         \
    }                                   \
    WAIT_EXIT(check_child_, 0);         \
  } while (0)

#define IN_CHILD_KILLED_BY(number, ...) \
  do {                                  \
    if ((check_child_ = Fork()) == 0) { \
      __VA_ARGS__;                      \
      _exit(99);                        \
    }                                   \
    WAIT_SIGNAL(check_child_, number);  \
  } while (0)

static inline void Handle(int number, void (*handler)(int), int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  CHECK_OK(sigaction(number, &action, NULL));
}

// ---- memory that faults where we want it to ----

// Room for `size` bytes that ends exactly where an inaccessible page begins.
static inline char* EdgeBuffer(size_t size) {
  size_t page = PageSize(), room = (size + page - 1) / page * page;
  if (room == 0) room = page;
  char* base = CHECK_MAP(
      mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  CHECK_OK(mprotect(base + room, page, PROT_NONE));
  return base + room - size;
}

// Addresses that no call may read or write: page zero, kernel halves, non-canonical ones, the last
// bytes.
static const uintptr_t kHostile[] = {
    0,
    8,
    0x800000000000,  // first address past the lower half on x86-64
    0x8000000000000000,
    0xffff800000000000,
    0xffffffff80000000,
    0xffffffffffffff00,
    UINTPTR_MAX,
};
enum { kHostileCount = sizeof kHostile / sizeof kHostile[0] };
