// RLIMIT_CPU: SIGXCPU from the soft limit on, which then is a second more; SIGKILL at the hard one;
// inherited by fork, kept by exec. ITIMER_PROF's signal goes to a thread that runs.
#include <sys/resource.h>
#include <sys/time.h>

#include "proc.h"

static volatile sig_atomic_t warnings;
static pthread_t main_thread;
static volatile sig_atomic_t on_main, on_other;

static void OnCpu(int number) {
  (void)number;
  warnings++;
}
static void OnProf(int number) {
  (void)number;
  if (pthread_equal(pthread_self(), main_thread)) {
    on_main++;
  } else {
    on_other++;
  }
}

static void* Spin(void* unused) {
  (void)unused;
  while (on_other == 0) {
  }
  return NULL;
}

static void SetLimit(rlim_t soft, rlim_t hard) {
  const struct rlimit limit = {soft, hard};
  CHECK_OK(setrlimit(RLIMIT_CPU, &limit));
}

int main(int argc, char** argv) {
  if (argc > 1) {  // after exec
    for (;;) {
    }
  }
  // The default action ends the process; the child of who has the limit has it, and exec keeps it.
  pid_t plain = Fork();
  if (plain == 0) {
    SetLimit(1, RLIM_INFINITY);
    IN_CHILD_KILLED_BY(SIGXCPU, execl("/proc/self/exe", argv[0], "spin", NULL));
    _exit(0);
  }
  // Caught, it comes and the limit moves on; at the hard limit comes the end.
  pid_t caught = Fork();
  if (caught == 0) {
    Handle(SIGXCPU, OnCpu, 0);
    SetLimit(1, 2);
    while (warnings == 0) {
    }
    struct rlimit now;
    CHECK_OK(getrlimit(RLIMIT_CPU, &now));
    CHECK_EQ(now.rlim_cur, 2);
    CHECK_EQ(now.rlim_max, 2);
    for (;;) {
    }
  }
  WAIT_EXIT(plain, 0);
  WAIT_SIGNAL(caught, SIGKILL);

  // The first thread sleeps: the one that runs is told.
  main_thread = pthread_self();
  Handle(SIGPROF, OnProf, SA_RESTART);
  pthread_t spinner = StartThread(Spin, NULL);
  const struct itimerval often = {{0, 10000}, {0, 10000}}, never = {{0, 0}, {0, 0}};
  CHECK_OK(setitimer(ITIMER_PROF, &often, NULL));
  JoinThread(spinner);
  CHECK_OK(setitimer(ITIMER_PROF, &never, NULL));
  CHECK(on_other > 0);
  return 0;
}
