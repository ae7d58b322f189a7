// Threads and processes that wake each other in every way there is, for a number of seconds:
//
//   stress SECONDS [PATIENCE]
//
// Whoever is not woken stands still, and a watcher tells who it was. Data that passes from hand to
// hand is checked: what comes late, twice or from an old mapping fails the program as well.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kMost = 64, kPage = 4096 };

// What all processes share.
struct Work {
  const char* name;
  atomic_ulong rounds;
  atomic_bool done;
};
static struct Shared {
  atomic_bool stop;
  atomic_int count;
  struct Work work[kMost];
  atomic_uint words[kMost];
} * shared;

#define FAIL(...)                                              \
  do {                                                         \
    fprintf(stderr, "stress: line %d: ", __LINE__);            \
    fprintf(stderr, __VA_ARGS__);                              \
    fprintf(stderr, " (errno %d)\n", errno);                   \
    kill(0, SIGKILL); /* a group of its own: nobody is left */ \
    _exit(1);                                                  \
  } while (0)
#define CHECK(condition)                      \
  do {                                        \
    if (!(condition)) FAIL("%s", #condition); \
  } while (0)

static double Now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct Work* NewWork(const char* name) {
  int index = shared->count++;
  CHECK(index < kMost);
  shared->work[index].name = name;
  return &shared->work[index];
}

static void* SharedMemory(size_t size) {
  void* memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED);
  return memory;
}

static void Start(void* (*run)(void*), void* argument) {
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, run, argument) == 0);
  pthread_detach(thread);
}

// ---- Futexes: two take turns, in one process or in two. The value only ever grows, so that a
// wake-up too many does no harm and one too few stops both.
struct Turns {
  struct Work* work;
  atomic_uint* word;
  unsigned parity;
  int flag;  // FUTEX_PRIVATE_FLAG or none
};

static void* TakeTurns(void* argument) {
  struct Turns* turns = argument;
  for (;;) {
    unsigned value = *turns->word;
    if (value % 2 != turns->parity) {
      syscall(SYS_futex, turns->word, FUTEX_WAIT | turns->flag, value, NULL, NULL, 0);
      continue;
    }
    bool last = shared->stop;
    turns->work->rounds++;
    *turns->word = value + 1;
    syscall(SYS_futex, turns->word, FUTEX_WAKE | turns->flag, 1, NULL, NULL, 0);
    if (last) break;
  }
  // The other one's last turn may be still to come.
  turns->work->done = true;
  return NULL;
}

static void StartTurns(const char* name, bool processes) {
  atomic_uint* word = &shared->words[shared->count];
  for (unsigned parity = 0; parity < 2; parity++) {
    struct Turns* turns = malloc(sizeof *turns);
    *turns = (struct Turns){NewWork(name), word, parity, processes ? 0 : FUTEX_PRIVATE_FLAG};
    if (!processes) {
      Start(TakeTurns, turns);
    } else if (fork() == 0) {
      TakeTurns(turns);
      _exit(0);
    }
  }
}

// ---- A queue: mutex and condition variables, several on each side, with a sum over what passes.
enum { kSlots = 8 };
static struct Queue {
  pthread_mutex_t lock;
  pthread_cond_t filled, emptied;
  unsigned long slots[kSlots], put, taken, in, out;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER,
           .filled = PTHREAD_COND_INITIALIZER,
           .emptied = PTHREAD_COND_INITIALIZER};

static void* Produce(void* argument) {
  struct Work* work = argument;
  while (!shared->stop) {
    pthread_mutex_lock(&queue.lock);
    while (queue.put - queue.taken == kSlots) pthread_cond_wait(&queue.emptied, &queue.lock);
    queue.in += queue.slots[queue.put % kSlots] = queue.put * 0x9e3779b97f4a7c15;
    queue.put++;
    pthread_cond_signal(&queue.filled);
    pthread_mutex_unlock(&queue.lock);
    work->rounds++;
  }
  // One for each of the others to end by.
  pthread_mutex_lock(&queue.lock);
  while (queue.put - queue.taken == kSlots) pthread_cond_wait(&queue.emptied, &queue.lock);
  queue.slots[queue.put++ % kSlots] = 0;
  pthread_cond_signal(&queue.filled);
  pthread_mutex_unlock(&queue.lock);
  work->done = true;
  return NULL;
}

static void* Consume(void* argument) {
  struct Work* work = argument;
  for (bool last = false; !last;) {
    pthread_mutex_lock(&queue.lock);
    while (queue.put == queue.taken) pthread_cond_wait(&queue.filled, &queue.lock);
    unsigned long number = queue.taken++, value = queue.slots[number % kSlots];
    queue.out += value;
    last = value == 0 && number > 0;
    CHECK(last || value == number * 0x9e3779b97f4a7c15);
    pthread_cond_signal(&queue.emptied);
    pthread_mutex_unlock(&queue.lock);
    work->rounds++;
  }
  work->done = true;
  return NULL;
}

// ---- Pipes: blocks of changing sizes go round a ring of processes, each of which adds one to
// every byte.
enum { kRing = 4, kBlock = 9000 };

static void ReadAll(int fd, unsigned char* data, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t got = read(fd, data + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) FAIL("a pipe ended");
    done += (size_t)got;
  }
}
static void WriteAll(int fd, const unsigned char* data, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t put = write(fd, data + done, size - done);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) FAIL("a pipe broke");
    done += (size_t)put;
  }
}

static void Pass(struct Work* work, int from, int to, bool first) {
  static unsigned char data[kBlock];
  for (unsigned round = 1;; round++) {
    uint32_t size = round * 7919 % kBlock + 1;
    if (first) {
      if (shared->stop) size = 0;
      memset(data, (int)round, size);
      WriteAll(to, (unsigned char*)&size, sizeof size);
      WriteAll(to, data, size);
    }
    uint32_t there;
    ReadAll(from, (unsigned char*)&there, sizeof there);
    CHECK(there == size || there == 0);
    ReadAll(from, data, there);
    unsigned char wanted = (unsigned char)(first ? round + kRing - 1 : data[0]);
    for (uint32_t i = 0; i < there; i++)
      if (data[i] != wanted) FAIL("byte %u of %u is %u, not %u", i, there, data[i], wanted);
    if (!first) {
      for (uint32_t i = 0; i < there; i++) data[i]++;
      WriteAll(to, (unsigned char*)&there, sizeof there);
      WriteAll(to, data, there);
    }
    work->rounds++;
    if (there == 0) break;
  }
  work->done = true;
  _exit(0);
}

static void StartRing(void) {
  int pipes[kRing][2];
  for (int i = 0; i < kRing; i++) CHECK(pipe(pipes[i]) == 0);
  for (int i = 0; i < kRing; i++) {
    struct Work* work = NewWork("pipe ring");
    if (fork() == 0) Pass(work, pipes[i][0], pipes[(i + 1) % kRing][1], i == 0);
  }
  for (int i = 0; i < kRing; i++) close(pipes[i][0]), close(pipes[i][1]);
}

// ---- fork, exec, wait.
static const char* program;

static void ForkOften(struct Work* work) {
  signal(SIGCHLD, SIG_DFL);
  while (!shared->stop) {
    pid_t pids[3];
    for (int i = 0; i < 3; i++) {
      pids[i] = fork();
      CHECK(pids[i] >= 0);
      if (pids[i] != 0) continue;
      char text[12];
      snprintf(text, sizeof text, "%d", 40 + i);
      if (i > 0) execl(program, program, "--exit", text, NULL);
      _exit(40 + i);
    }
    for (int i = 2; i >= 0; i--) {
      int status;
      CHECK(waitpid(pids[i], &status, 0) == pids[i]);
      if (!WIFEXITED(status) || WEXITSTATUS(status) != 40 + i)
        FAIL("child %d ended with 0x%x", i, status);
    }
    work->rounds++;
  }
  work->done = true;
  _exit(0);
}

static void* Nothing(void* argument) { return argument; }

static void* MakeThreads(void* argument) {
  struct Work* work = argument;
  while (!shared->stop) {
    pthread_t threads[4];
    for (uintptr_t i = 0; i < 4; i++)
      CHECK(pthread_create(&threads[i], NULL, Nothing, (void*)(i + work->rounds)) == 0);
    for (uintptr_t i = 0; i < 4; i++) {
      void* result;
      CHECK(pthread_join(threads[i], &result) == 0);
      CHECK((uintptr_t)result == i + work->rounds);
    }
    work->rounds++;
  }
  work->done = true;
  return NULL;
}

// ---- Mappings: while one thread makes and removes them, another has the kernel copy into the same
// place. Nothing may arrive anywhere else, and a fresh page is zeros or what was copied.
enum { kPages = 8 };
static unsigned char* place;  // reserved
static int zero_pipe[2];

static void* Remap(void* argument) {
  struct Work* work = argument;
  while (!shared->stop) {
    unsigned char* memory = mmap(place, kPages * kPage, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK(memory == place);
    for (int i = 0; i < kPages; i++) {
      unsigned char seen = memory[i * kPage + i];
      CHECK(seen == 0 || seen == 0xa5);
      memory[i * kPage + i] = 0xa5;
    }
    CHECK(mprotect(place, kPages / 2 * kPage, PROT_READ) == 0);
    CHECK(mmap(place, kPages * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
          place);
    work->rounds++;
  }
  work->done = true;
  return NULL;
}

static void* CopyThere(void* argument) {
  struct Work* work = argument;
  unsigned char block[kPages * kPage];
  memset(block, 0xa5, sizeof block);
  while (!shared->stop) {
    WriteAll(zero_pipe[1], block, sizeof block);
    for (size_t left = sizeof block; left > 0;) {
      ssize_t got = read(zero_pipe[0], place + sizeof block - left, left);
      if (got < 0) {
        CHECK(errno == EFAULT);
        ReadAll(zero_pipe[0], block, left);
        got = (ssize_t)left;
      }
      left -= (size_t)got;
    }
    for (size_t i = 0; i < sizeof block; i++) CHECK(block[i] == 0xa5);
    work->rounds++;
  }
  work->done = true;
  return NULL;
}

// Pages of its own that nobody else may write to: where a stale translation would show.
static void* KeepPages(void* argument) {
  struct Work* work = argument;
  enum { kKept = 64 };
  while (!shared->stop) {
    uint64_t* memory =
        mmap(NULL, kKept * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    uint64_t mark = (uint64_t)(uintptr_t)memory ^ work->rounds;
    for (size_t i = 0; i < kKept * kPage / 8; i++) {
      CHECK(memory[i] == 0);
      memory[i] = mark + i;
    }
    usleep(2000);
    for (size_t i = 0; i < kKept * kPage / 8; i++)
      if (memory[i] != mark + i) FAIL("word %zu changed: %lx", i, (unsigned long)memory[i]);
    CHECK(munmap(memory, kKept * kPage) == 0);
    work->rounds++;
  }
  work->done = true;
  return NULL;
}

// ---- Floats and signals: a sum that is the same every time, while timers interrupt it.
static atomic_ulong alarms;
static void OnAlarm(int number) {
  volatile double scribble = number;
  for (int i = 0; i < 20; i++) scribble = scribble * 1.5 + 1;
  alarms++;
}

__attribute__((noinline)) static double Sum(void) {
  double sum = 0, factor = 1, other = 3;
  __asm__ volatile("" : "+m"(sum));  // not known before
  for (int i = 0; i < 20000; i++) {
    sum += factor;
    factor *= 1.0000001;
    other = other / 3 + sum;
  }
  return sum + other;
}

static void Calculate(struct Work* work) {
  signal(SIGALRM, OnAlarm);
  struct itimerval often = {{0, 700}, {0, 700}};
  double wanted = Sum();
  CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
  while (!shared->stop) {
    CHECK(Sum() == wanted);
    work->rounds++;
  }
  CHECK(alarms > 0);
  work->done = true;
  _exit(0);
}

// ---- Sleeping: deadlines come, and not early.
static void* Sleep(void* argument) {
  struct Work* work = argument;
  atomic_uint word = 0;
  while (!shared->stop) {
    double before = Now();
    struct timespec time = {0, (long)(1 + work->rounds % 40) * 100000};
    long result = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &time, NULL, 0);
    CHECK(result == -1 && errno == ETIMEDOUT);
    CHECK(Now() - before >= (double)time.tv_nsec / 1e9);
    work->rounds++;
  }
  work->done = true;
  return NULL;
}

// ---- All together.
static void Watch(double seconds, double patience) {
  unsigned long last[kMost] = {0};
  double moved[kMost];
  double begin = Now(), pauses[kMost] = {0};
  for (int i = 0; i < kMost; i++) moved[i] = begin;
  for (int left = 1; left > 0;) {
    usleep(100000);
    double now = Now();
    if (now - begin > seconds) shared->stop = true;
    left = 0;
    for (int i = 0; i < shared->count; i++) {
      struct Work* work = &shared->work[i];
      if (work->done) continue;
      left++;
      unsigned long rounds = work->rounds;
      if (rounds != last[i]) moved[i] = now;
      last[i] = rounds;
      if (now - moved[i] > pauses[i]) pauses[i] = now - moved[i];
      if (now - moved[i] > patience)
        FAIL("%s (%d) stands still after %lu rounds%s", work->name, i, rounds,
             shared->stop ? ", at the end" : "");
    }
  }
  for (int i = 0; i < shared->count; i++)
    printf("%-16s %lu rounds, longest pause %.1f s\n", shared->work[i].name,
           (unsigned long)shared->work[i].rounds, pauses[i]);
  printf("no hang in %.0f s\n", Now() - begin);
}

int main(int argc, char** argv) {
  if (argc == 3 && strcmp(argv[1], "--exit") == 0) return atoi(argv[2]);
  if (argc < 2) return 2;
  setpgid(0, 0);
  program = "/proc/self/exe";
  shared = SharedMemory(sizeof *shared);
  // Processes first: they are made by a process without threads.
  StartTurns("futex, shared", true);
  StartTurns("futex, shared", true);
  StartRing();
  for (int i = 0; i < 2; i++) {
    struct Work* work = NewWork("fork and exec");
    if (fork() == 0) ForkOften(work);
  }
  for (int i = 0; i < 2; i++) {
    struct Work* work = NewWork("floats");
    if (fork() == 0) Calculate(work);
  }
  StartTurns("futex, private", false);
  StartTurns("futex, private", false);
  for (int i = 0; i < 3; i++) {
    Start(Produce, NewWork("producer"));
    Start(Consume, NewWork("consumer"));
  }
  place = mmap(NULL, kPages * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(place != MAP_FAILED && pipe(zero_pipe) == 0);
  Start(Remap, NewWork("remap"));
  Start(CopyThere, NewWork("copy there"));
  Start(KeepPages, NewWork("keep pages"));
  Start(MakeThreads, NewWork("make threads"));
  Start(Sleep, NewWork("sleep"));
  Watch(atof(argv[1]), argc > 2 ? atof(argv[2]) : 20);
  while (wait(NULL) > 0 || errno == EINTR) {
  }
  return 0;
}
