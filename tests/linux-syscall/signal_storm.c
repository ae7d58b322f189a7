// Signals that come as fast as another thread can send them, whatever the one that takes them does:
// none makes a call return what it must not, and the handler runs.
#include <linux/futex.h>

#include "proc.h"

enum { kSignals = 5000 };

static volatile sig_atomic_t handled;
static atomic_bool stop;
static uint32_t word;
static atomic_int victim_tid;

static void Count(int number) { handled += number != 0; }

static void* CallBriefly(void* arg) {
  victim_tid = Gettid();
  while (!stop) CHECK_OK(syscall(SYS_getppid));
  return arg;
}
static void* Compute(void* arg) {
  victim_tid = Gettid();
  while (!stop) {
  }
  return arg;
}
static void* SleepBriefly(void* arg) {
  victim_tid = Gettid();
  const struct timespec moment = {0, 1000};
  while (!stop) CHECK(nanosleep(&moment, NULL) == 0 || errno == EINTR);
  return arg;
}
static void* TouchNewPages(void* arg) {
  victim_tid = Gettid();
  const size_t size = 16 * PageSize();
  while (!stop) {
    char* memory =
        CHECK_MAP(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    for (size_t at = 0; at < size; at += PageSize()) memory[at] = 1;
    CHECK_OK(munmap(memory, size));
  }
  return arg;
}
static void* WaitOnFutex(void* arg) {
  victim_tid = Gettid();
  while (!stop) {
    errno = 0;
    CHECK(Futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0) == 0 || errno == EAGAIN ||
          errno == EINTR);
  }
  return arg;
}

static void Storm(void* (*victim)(void*), int flags) {
  Handle(SIGUSR1, Count, flags);
  stop = false;
  handled = 0;
  victim_tid = 0;
  const pthread_t thread = StartThread(victim, NULL);
  CHECK(EVENTUALLY(victim_tid != 0));
  const pid_t process = getpid();
  for (int i = 0; i < kSignals; i++) {
    if (victim == WaitOnFutex) {
      if (i % 7 == 0) __atomic_store_n(&word, i & 1, __ATOMIC_SEQ_CST);
      if (i % 3 == 0) Futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
    CHECK_OK(syscall(SYS_tgkill, process, victim_tid, SIGUSR1));
  }
  CHECK(EVENTUALLY(handled > 0));
  stop = true;
  __atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
  Futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
  JoinThread(thread);
}

int main(void) {
  void* (*const victims[])(void*) = {CallBriefly, Compute, SleepBriefly, TouchNewPages,
                                     WaitOnFutex};
  for (size_t i = 0; i < sizeof victims / sizeof *victims; i++) {
    Storm(victims[i], SA_RESTART);
    Storm(victims[i], 0);
  }
  return 0;
}
