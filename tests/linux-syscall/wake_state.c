// proc_pid_stat(5): a process that was woken is R from then on, before it has come to run: whoever
// waits for a state must not see the old one.
#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/sem.h>
#include <sys/socket.h>

#include "proc.h"

static int pipe_ends[2], event, sockets[2], semaphores;
static _Atomic uint32_t* word;

static void Nothing(int number) { (void)number; }

static void SleepInRead(void) {
  char byte;
  CHECK_EQ(read(pipe_ends[0], &byte, 1), 1);
}
static void WakeReader(pid_t child) {
  (void)child;
  CHECK_EQ(write(pipe_ends[1], "x", 1), 1);
}
static void SleepInPoll(void) {
  struct pollfd what = {pipe_ends[0], POLLIN, 0};
  CHECK_EQ(poll(&what, 1, -1), 1);
  SleepInRead();
}
static void SleepInEpoll(void) {
  int fd = (int)CHECK_OK(epoll_create1(0));
  struct epoll_event what = {.events = EPOLLIN};
  CHECK_OK(epoll_ctl(fd, EPOLL_CTL_ADD, event, &what));
  CHECK_EQ(epoll_wait(fd, &what, 1, -1), 1);
  uint64_t count;
  CHECK_EQ(read(event, &count, 8), 8);
}
static void WakeEvent(pid_t child) {
  (void)child;
  uint64_t one = 1;
  CHECK_EQ(write(event, &one, 8), 8);
}
static void SleepOnFutex(void) {
  uint32_t before = *word;
  while (*word == before) syscall(SYS_futex, word, FUTEX_WAIT, before, NULL, NULL, 0);
}
static void WakeFutex(pid_t child) {
  (void)child;
  *word += 1;
  CHECK_EQ(syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
}
static void SleepInReceive(void) {
  char byte;
  CHECK_EQ(recv(sockets[0], &byte, 1, 0), 1);
}
static void WakeReceiver(pid_t child) {
  (void)child;
  CHECK_EQ(send(sockets[1], "x", 1, 0), 1);
}
static void SleepInSemop(void) {
  struct sembuf down = {0, -1, 0};
  CHECK_OK(semop(semaphores, &down, 1));
}
static void WakeSemop(pid_t child) {
  (void)child;
  struct sembuf up = {0, 1, 0};
  CHECK_OK(semop(semaphores, &up, 1));
}
static void SleepInPause(void) {
  Handle(SIGUSR1, Nothing, 0);
  CHECK_ERR(pause(), EINTR);
}
static void WakeBySignal(pid_t child) { CHECK_OK(kill(child, SIGUSR1)); }

static const struct {
  const char* name;
  void (*sleep)(void);
  void (*wake)(pid_t child);
} kWaits[] = {
    {"read", SleepInRead, WakeReader},       {"poll", SleepInPoll, WakeReader},
    {"epoll_wait", SleepInEpoll, WakeEvent}, {"futex", SleepOnFutex, WakeFutex},
    {"recv", SleepInReceive, WakeReceiver},  {"semop", SleepInSemop, WakeSemop},
    {"pause", SleepInPause, WakeBySignal},
};

// What to wait for, anew in each round: who was woken may have been killed before it took anything.
static void MakeEmpty(void) {
  CHECK_OK(pipe(pipe_ends));
  event = (int)CHECK_OK(eventfd(0, 0));
  CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
  CHECK_OK(semctl(semaphores, 0, SETVAL, 0));
}
static void CloseAll(void) {
  for (int i = 0; i < 2; i++) {
    CHECK_OK(close(pipe_ends[i]));
    CHECK_OK(close(sockets[i]));
  }
  CHECK_OK(close(event));
}

int main(void) {
  // On one processor, so that who is woken has to wait for it.
  cpu_set_t all, one;
  CHECK_OK(sched_getaffinity(0, sizeof all, &all));
  CPU_ZERO(&one);
  for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
    if (CPU_ISSET(i, &all)) CPU_SET(i, &one);
  CHECK_OK(sched_setaffinity(0, sizeof one, &one));

  semaphores = (int)CHECK_OK(semget(IPC_PRIVATE, 1, 0600));
  word =
      (void*)CHECK_MAP(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));

  for (unsigned i = 0; i < sizeof kWaits / sizeof *kWaits; i++) {
    for (int round = 0; round < 20; round++) {
      MakeEmpty();
      pid_t child = (pid_t)CHECK_OK(fork());
      if (child == 0) {
        kWaits[i].sleep();
        for (;;) {
        }
      }
      while (TaskState(child) != 'S') Nap(1);
      kWaits[i].wake(child);
      char state = TaskState(child);
      CHECK_OK(kill(child, SIGKILL));
      CHECK_OK(waitpid(child, NULL, 0));
      CloseAll();
      if (state != 'R') FAIL("%s: woken in round %d, state %c", kWaits[i].name, round, state);
    }
  }
  CHECK_OK(semctl(semaphores, 0, IPC_RMID));
  return 0;
}
