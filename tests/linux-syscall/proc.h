// What the programs about processes, threads, signals and time share beyond check.h.
#pragma once
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <ucontext.h>

#include "check.h"

// Names that older C libraries lack.
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

// In the first page, which no program has: using it is EFAULT everywhere.
static inline void* BadPointer_(void) {
  void* pointer = (void*)16;
  __asm__("" : "+r"(pointer));  // compilers must not see through it and warn
  return pointer;
}
#define BAD_POINTER BadPointer_()

static inline pid_t Gettid(void) { return (pid_t)syscall(SYS_gettid); }

static inline int64_t NowNs(clockid_t clock) {
  struct timespec now;
  CHECK_OK(clock_gettime(clock, &now));
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// The threads of this process.
static inline int CountTasks(void) {
  int count = 0;
  DIR* dir = opendir("/proc/self/task");
  CHECK(dir != NULL);
  for (struct dirent* entry; (entry = readdir(dir));) count += entry->d_name[0] != '.';
  closedir(dir);
  return count;
}

static inline void HandleInfo(int number, void (*handler)(int, siginfo_t*, void*), int flags) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO};
  CHECK_OK(sigaction(number, &action, NULL));
}

static inline sigset_t SetOf(int number) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  return set;
}

static inline void Mask(int how, int number) {
  sigset_t set = SetOf(number);
  CHECK_EQ(pthread_sigmask(how, &set, NULL), 0);
}

static inline bool IsPending(int number) {
  sigset_t set;
  CHECK_OK(sigpending(&set));
  return sigismember(&set, number) == 1;
}

static inline long Futex(void* word, int op, uint32_t value, const void* timeout, void* word2,
                         uint32_t value3) {
  return syscall(SYS_futex, word, op, value, timeout, word2, value3);
}

static inline pthread_t StartThread(void* (*body)(void*), void* arg) {
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, body, arg), 0);
  return thread;
}

static inline void JoinThread(pthread_t thread) { CHECK_EQ(pthread_join(thread, NULL), 0); }

// Zeroed memory that children made later share.
static inline void* SharedPage(void) {
  return CHECK_MAP(
      mmap(NULL, PageSize(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
}

// A whole small file such as those of /proc, ended with 0; yields its length.
static inline size_t ReadText(const char* path, char* text, size_t room) {
  int fd = (int)CHECK_OK(open(path, O_RDONLY | O_CLOEXEC));
  size_t length = 0;
  ssize_t n;
  while (length < room - 1 &&
         (n = (ssize_t)CHECK_OK(read(fd, text + length, room - 1 - length))) > 0)
    length += (size_t)n;
  close(fd);
  text[length] = 0;
  return length;
}
