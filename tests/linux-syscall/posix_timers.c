// timer_create(2) and its family: signals with values, to a thread, none; overruns; points in time;
// errors.
#include "proc.h"

#ifndef SIGEV_THREAD_ID
#define SIGEV_THREAD_ID 4
#endif
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static long Create(clockid_t clock, struct sigevent* event, int* id) {
  return syscall(SYS_timer_create, clock, event, id);
}
static long Set(int id, int flags, int64_t value_ns, int64_t interval_ns, struct itimerspec* old) {
  struct itimerspec spec = {{interval_ns / 1000000000, interval_ns % 1000000000},
                            {value_ns / 1000000000, value_ns % 1000000000}};
  return syscall(SYS_timer_settime, id, flags, &spec, old);
}
static struct itimerspec Get(int id) {
  struct itimerspec spec;
  CHECK_OK(syscall(SYS_timer_gettime, id, &spec));
  return spec;
}
static long Delete(int id) { return syscall(SYS_timer_delete, id); }

static atomic_int thread_tid, thread_hits;
static void* Wait(void* arg) {
  thread_tid = Gettid();
  sigset_t set = SetOf(SIGRTMIN + 1);
  siginfo_t info;
  for (int i = 0; i < 3; i++) {
    CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN + 1);
    CHECK_EQ(info.si_code, SI_TIMER);
    thread_hits++;
  }
  return arg;
}

int main(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  sigaddset(&set, SIGRTMIN + 1);
  sigaddset(&set, SIGALRM);
  CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
  siginfo_t info;
  int id, other;
  struct sigevent event;
  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGRTMIN;
  event.sigev_value.sival_int = 4711;

  CHECK_OK(Create(CLOCK_MONOTONIC, &event, &id));
  struct itimerspec spec = Get(id);
  CHECK_EQ(spec.it_value.tv_sec | spec.it_value.tv_nsec, 0);
  CHECK_OK(Set(id, 0, 5000000, 0, NULL));
  CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
  CHECK_EQ(info.si_code, SI_TIMER);
  CHECK_EQ(info.si_value.sival_int, 4711);
  CHECK_EQ(info.si_timerid, id);
  CHECK_EQ(info.si_overrun, 0);
  CHECK_EQ(syscall(SYS_timer_getoverrun, id), 0);
  spec = Get(id);
  CHECK_EQ(spec.it_value.tv_sec | spec.it_value.tv_nsec, 0);  // over

  // Repeated while the signal is blocked: one signal, the rest counted.
  CHECK_OK(Set(id, 0, 1000000, 1000000, NULL));
  Nap(50);
  CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
  CHECK(info.si_overrun >= 30);
  CHECK_EQ(syscall(SYS_timer_getoverrun, id), info.si_overrun);
  // Stopping it may leave a signal behind, of this timer only.
  CHECK_OK(Set(id, 0, 0, 0, &spec));
  CHECK_EQ(spec.it_interval.tv_nsec, 1000000);
  while (sigtimedwait(&set, &info, &(struct timespec){0, 0}) == SIGRTMIN) {
  }

  // A point in time, in the future and in the past.
  CHECK_OK(Set(id, TIMER_ABSTIME, NowNs(CLOCK_MONOTONIC) + 5000000, 0, NULL));
  CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
  CHECK_OK(Set(id, TIMER_ABSTIME, 1, 0, NULL));
  CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
  CHECK_OK(Set(id, 0, 100000000000, 7, NULL));
  spec = Get(id);
  CHECK(spec.it_value.tv_sec >= 90 && spec.it_value.tv_sec <= 100);
  CHECK_EQ(spec.it_interval.tv_nsec, 7);

  // Without an event: SIGALRM with the timer's number as value.
  CHECK_OK(Create(CLOCK_REALTIME, NULL, &other));
  CHECK(other != id);
  CHECK_OK(Set(other, 0, 1000000, 0, NULL));
  CHECK_EQ(sigwaitinfo(&set, &info), SIGALRM);
  CHECK_EQ(info.si_value.sival_int, other);
  CHECK_OK(Delete(other));
  CHECK_ERR(Delete(other), EINVAL);
  CHECK_ERR(Set(other, 0, 1, 0, NULL), EINVAL);
  CHECK_ERR(syscall(SYS_timer_gettime, other, &spec), EINVAL);
  CHECK_ERR(syscall(SYS_timer_getoverrun, other), EINVAL);

  // No notification at all: only the time that is left.
  event.sigev_notify = SIGEV_NONE;
  CHECK_OK(Create(CLOCK_BOOTTIME, &event, &other));
  CHECK_OK(Set(other, 0, 3000000, 0, NULL));
  CHECK(EVENTUALLY(Get(other).it_value.tv_nsec == 0));
  CHECK_OK(Delete(other));

  // To one thread.
  pthread_t thread = StartThread(Wait, NULL);
  CHECK(EVENTUALLY(thread_tid));
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = SIGRTMIN + 1;
  event.sigev_notify_thread_id = thread_tid;
  CHECK_OK(Create(CLOCK_MONOTONIC, &event, &other));
  CHECK_OK(Set(other, 0, 1000000, 1000000, NULL));
  JoinThread(thread);
  CHECK_EQ(thread_hits, 3);
  CHECK_OK(Delete(other));

  // Processor time of the process.
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGRTMIN;
  CHECK_OK(Create(CLOCK_PROCESS_CPUTIME_ID, &event, &other));
  int64_t cpu = NowNs(CLOCK_PROCESS_CPUTIME_ID);
  CHECK_OK(Set(other, 0, 20000000, 0, NULL));
  int64_t limit = NowNs(CLOCK_MONOTONIC) + 10000000000;
  while (!IsPending(SIGRTMIN) && NowNs(CLOCK_MONOTONIC) < limit) {
  }
  CHECK_EQ(sigtimedwait(&set, &info, &(struct timespec){0, 0}), SIGRTMIN);
  CHECK(NowNs(CLOCK_PROCESS_CPUTIME_ID) - cpu >= 20000000);
  CHECK_OK(Delete(other));

  // Errors.
  CHECK_ERR(Create(99, &event, &other), EINVAL);
  CHECK_ERR(Create(CLOCK_MONOTONIC, BAD_POINTER, &other), EFAULT);
  CHECK_ERR(Create(CLOCK_MONOTONIC, &event, BAD_POINTER), EFAULT);
  event.sigev_signo = 65;
  CHECK_ERR(Create(CLOCK_MONOTONIC, &event, &other), EINVAL);
  event.sigev_signo = SIGRTMIN;
  event.sigev_notify = 77;
  CHECK_ERR(Create(CLOCK_MONOTONIC, &event, &other), EINVAL);
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_notify_thread_id = 1 == getpid() ? 2 : 1;
  CHECK_ERR(Create(CLOCK_MONOTONIC, &event, &other), EINVAL);
  CHECK_ERR(syscall(SYS_timer_settime, id, 0, NULL, NULL), EINVAL);
  struct itimerspec bad = {{0, 0}, {0, 1000000000}};
  CHECK_ERR(syscall(SYS_timer_settime, id, 0, &bad, NULL), EINVAL);
  CHECK_ERR(syscall(SYS_timer_settime, id, 0, BAD_POINTER, NULL), EFAULT);
  CHECK_ERR(syscall(SYS_timer_gettime, id, BAD_POINTER), EFAULT);
  IN_CHILD(CHECK_ERR(Delete(id), EINVAL));  // not inherited

  // A signal that is pending from elsewhere does not end a timer that sends it, too.
  struct sigevent own = {0};
  own.sigev_notify = SIGEV_SIGNAL;
  own.sigev_signo = SIGUSR2;
  Mask(SIG_BLOCK, SIGUSR2);
  CHECK_OK(kill(getpid(), SIGUSR2));
  CHECK_OK(Create(CLOCK_MONOTONIC, &own, &other));
  const struct itimerspec fast = {{0, 1000000}, {0, 1000000}};
  CHECK_OK(syscall(SYS_timer_settime, other, 0, &fast, NULL));
  Nap(5);  // it expires while the other one is pending
  const sigset_t usr2 = SetOf(SIGUSR2);
  siginfo_t got;
  for (int from_timer = 0; from_timer < 3;) {
    CHECK_EQ(sigwaitinfo(&usr2, &got), SIGUSR2);
    from_timer += got.si_code == SI_TIMER;
  }
  CHECK_OK(Delete(other));

  CHECK_OK(Delete(id));
  return 0;
}
