// sched_yield(2), sched_getscheduler(2), sched_setscheduler(2), sched_getparam(2), sched_getattr(2)
// and their errors.
#include "proc.h"

// struct sched_attr as first published, 48 bytes.
struct Attr {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
};

int main(void) {
  struct sched_param param = {-1};
  CHECK_OK(syscall(SYS_sched_yield));
  CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_OTHER);
  CHECK_OK(syscall(SYS_sched_getparam, 0, &param));
  CHECK_EQ(param.sched_priority, 0);
  CHECK_OK(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &param));
  CHECK_OK(syscall(SYS_sched_setparam, 0, &param));
  CHECK_ERR(syscall(SYS_sched_getscheduler, -1), EINVAL);
  CHECK_ERR(syscall(SYS_sched_getscheduler, 0x3fffffff), ESRCH);
  CHECK_ERR(syscall(SYS_sched_getparam, -1, &param), EINVAL);
  CHECK_ERR(syscall(SYS_sched_getparam, 0, NULL), EINVAL);
  CHECK_ERR(syscall(SYS_sched_getparam, 0, BAD_POINTER), EFAULT);
  CHECK_ERR(syscall(SYS_sched_setscheduler, 0, 99, &param), EINVAL);
  CHECK_ERR(syscall(SYS_sched_setscheduler, 0, -1, &param), EINVAL);
  CHECK_ERR(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, NULL), EINVAL);
  CHECK_ERR(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, BAD_POINTER), EFAULT);
  CHECK_ERR(syscall(SYS_sched_setscheduler, 0x3fffffff, SCHED_OTHER, &param), ESRCH);
  param.sched_priority = 1;
  CHECK_ERR(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &param), EINVAL);
  CHECK_ERR(syscall(SYS_sched_setparam, 0, &param), EINVAL);
  param.sched_priority = 0;
  CHECK_ERR(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &param), EINVAL);

  CHECK_EQ(sched_get_priority_min(SCHED_OTHER), 0);
  CHECK_EQ(sched_get_priority_max(SCHED_OTHER), 0);
  CHECK_EQ(sched_get_priority_min(SCHED_RR), 1);
  CHECK_EQ(sched_get_priority_max(SCHED_RR), 99);
  CHECK_EQ(sched_get_priority_min(SCHED_FIFO), 1);
  CHECK_EQ(sched_get_priority_max(SCHED_FIFO), 99);
  CHECK_EQ(sched_get_priority_max(SCHED_BATCH), 0);
  CHECK_EQ(sched_get_priority_max(SCHED_IDLE), 0);
  CHECK_ERR(sched_get_priority_max(99), EINVAL);
  CHECK_ERR(sched_get_priority_min(-1), EINVAL);
  struct timespec interval = {-1, -1};
  CHECK_OK(sched_rr_get_interval(0, &interval));
  CHECK(interval.tv_sec >= 0 && interval.tv_nsec >= 0);
  CHECK_ERR(syscall(SYS_sched_rr_get_interval, 0, BAD_POINTER), EFAULT);

  IN_CHILD({
    CHECK_OK(sched_setscheduler(0, SCHED_BATCH, &param));
    CHECK_EQ(sched_getscheduler(0), SCHED_BATCH);
    IN_CHILD(CHECK_EQ(sched_getscheduler(0), SCHED_BATCH));
    CHECK_OK(sched_setscheduler(0, SCHED_IDLE, &param));
    CHECK_EQ(sched_getscheduler(0), SCHED_IDLE);
  });

  struct Attr attr;
  memset(&attr, 0xee, sizeof attr);
  CHECK_OK(syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0));
  CHECK_EQ(attr.size, sizeof attr);
  CHECK_EQ(attr.policy, SCHED_OTHER);
  CHECK_EQ(attr.nice, getpriority(PRIO_PROCESS, 0));
  CHECK_EQ(attr.priority, 0);
  CHECK_ERR(syscall(SYS_sched_getattr, 0, &attr, 47, 0), EINVAL);
  CHECK_ERR(syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 1), EINVAL);
  CHECK_ERR(syscall(SYS_sched_getattr, 0x3fffffff, &attr, sizeof attr, 0), ESRCH);
  attr.size = sizeof attr;
  CHECK_OK(syscall(SYS_sched_setattr, 0, &attr, 0));
  CHECK_ERR(syscall(SYS_sched_setattr, 0, &attr, 1), EINVAL);
  IN_CHILD({
    attr.flags = 0x18;  // SCHED_FLAG_KEEP_POLICY, SCHED_FLAG_KEEP_PARAMS
    attr.policy = SCHED_FIFO;
    attr.priority = 7;
    attr.nice = 19;
    CHECK_ERR(syscall(SYS_sched_setattr, 0, &attr, 0), EINVAL);  // a priority with SCHED_OTHER
    attr.priority = 0;
    CHECK_OK(syscall(SYS_sched_setattr, 0, &attr, 0));
    struct Attr kept;
    CHECK_OK(syscall(SYS_sched_getattr, 0, &kept, sizeof kept, 0));
    CHECK_EQ(kept.policy, SCHED_OTHER);
    CHECK_EQ(kept.nice, getpriority(PRIO_PROCESS, 0));
    CHECK_EQ(kept.flags, 0);
    attr.flags = 0x08;
    CHECK_OK(syscall(SYS_sched_setattr, 0, &attr, 0));
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), 19);
    // Without privilege nobody becomes less nice.
    const struct rlimit none = {0, 0};
    CHECK_OK(setrlimit(RLIMIT_NICE, &none));
    BecomeNobody();
    attr.nice = 18;
    CHECK_ERR(syscall(SYS_sched_setattr, 0, &attr, 0), EPERM);
    attr.nice = 19;
    CHECK_OK(syscall(SYS_sched_setattr, 0, &attr, 0));
    attr.flags = 1ull << 40;
    CHECK_ERR(syscall(SYS_sched_setattr, 0, &attr, 0), EINVAL);
  });
  attr.policy = (uint32_t)-1;
  CHECK_ERR(syscall(SYS_sched_setattr, 0, &attr, 0), EINVAL);
  attr.policy = 77;
  CHECK_ERR(syscall(SYS_sched_setattr, 0, &attr, 0), EINVAL);
  attr.size = 3;
  CHECK_ERR(syscall(SYS_sched_setattr, 0, &attr, 0), E2BIG);

  // What a newer program knows must be zero; the size there is is told.
  struct {
    struct Attr known;
    uint64_t more[2];
  } larger = {.known = {.size = sizeof larger}};
  CHECK_OK(syscall(SYS_sched_setattr, 0, &larger, 0));
  larger.more[1] = 1;
  CHECK_ERR(syscall(SYS_sched_setattr, 0, &larger, 0), E2BIG);
  CHECK(larger.known.size >= sizeof(struct Attr) && larger.known.size < sizeof larger);

  // SCHED_DEADLINE's parameters are looked at before the right to it.
  IN_CHILD({
    BecomeNobody();
    const uint64_t ms = 1000000;
    struct Attr deadline = {.size = sizeof deadline, .policy = 6};
    CHECK_ERR(syscall(SYS_sched_setattr, 0, &deadline, 0), EINVAL);
    deadline.runtime = 10 * ms, deadline.deadline = 5 * ms, deadline.period = 20 * ms;
    CHECK_ERR(syscall(SYS_sched_setattr, 0, &deadline, 0), EINVAL);
    deadline.deadline = 30 * ms;
    CHECK_ERR(syscall(SYS_sched_setattr, 0, &deadline, 0), EINVAL);
    deadline.deadline = 1ull << 63;
    CHECK_ERR(syscall(SYS_sched_setattr, 0, &deadline, 0), EINVAL);
    deadline.deadline = 20 * ms, deadline.priority = 1;
    CHECK_ERR(syscall(SYS_sched_setattr, 0, &deadline, 0), EINVAL);
    deadline.priority = 0;
    CHECK_ERR(syscall(SYS_sched_setattr, 0, &deadline, 0), EPERM);
  });
  return 0;
}
