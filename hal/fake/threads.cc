#include <pthread.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <memory>
#include <set>

#include "base/assert.h"
#include "hal/fake/fake.h"
#include "hal/fake/internal.h"

namespace zrun::hal {
namespace {

struct Registry {
  std::mutex mutex;
  std::condition_variable changed;
  std::set<Thread*> threads;  // alive
  size_t started = 0;         // of them, by StartThread()
};
Registry& Threads() {
  static Registry* const registry = new Registry;  // outlives threads that outlive main()
  return *registry;
}

void Register(Thread& thread) {
  std::lock_guard lock(Threads().mutex);
  Threads().threads.insert(&thread);
  if (!thread.main) Threads().started++;
}

void Unregister(Thread& thread) {
  std::lock_guard lock(Threads().mutex);
  Threads().threads.erase(&thread);
  if (!thread.main) Threads().started--;
  Threads().changed.notify_all();
}

thread_local Thread* t_self = nullptr;

// A thread of the test's own: becomes known when it first asks.
struct Adopted {
  Thread thread;
  Adopted() {
    thread.main = true;
    pthread_getcpuclockid(pthread_self(), &thread.cpu_clock);
    Register(thread);
    t_self = &thread;
  }
  ~Adopted() {
    t_self = nullptr;
    Unregister(thread);
  }
};

void* ThreadEntry(void* argument) {
  auto* self = static_cast<Thread*>(argument);
  t_self = self;
  {
    std::lock_guard lock(self->mutex);
    pthread_getcpuclockid(pthread_self(), &self->cpu_clock);
  }
  self->start.entry(self->start.argument);
  PANIC("a thread returned from its entry");
}

Nanoseconds Now(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

// ---- Clocks
std::atomic<Nanoseconds> g_clock_offset{0};
std::atomic<Nanoseconds> g_frozen_at{-1};

// ---- Words that threads sleep on
struct Bucket {
  std::mutex mutex;
  std::condition_variable changed;
};
std::array<Bucket, 64>& Buckets() {
  static auto* const buckets = new std::array<Bucket, 64>;
  return *buckets;
}
Bucket& BucketOf(const void* address) {
  return Buckets()[(reinterpret_cast<uintptr_t>(address) >> 4) % 64];
}

}  // namespace

Thread& CurrentThread() {
  if (!t_self) {
    static thread_local Adopted adopted;
    t_self = &adopted.thread;
  }
  return *t_self;
}

Result<Thread*> StartThread(AddressSpace* space, ThreadStart start) {
  if (fake::MustFail()) return Errno::kEAGAIN;
  auto* thread = new Thread;
  thread->space = RefPtr<AddressSpace>(space);
  thread->start = start;
  Register(*thread);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t id;
  const int error = pthread_create(&id, &attributes, &ThreadEntry, thread);
  pthread_attr_destroy(&attributes);
  if (error != 0) {
    Unregister(*thread);
    delete thread;
    return Errno(error);
  }
  return thread;
}

void ExitThread() {
  Thread* self = std::exchange(t_self, nullptr);
  self->space = nullptr;
  Unregister(*self);
  delete self;
  pthread_exit(nullptr);
}

void* ThreadSlot(const Thread& thread) { return thread.slot; }
void SetThreadSlot(Thread& thread, void* value) { thread.slot = value; }
unsigned CurrentCpu() { return unsigned(sched_getcpu()); }
unsigned CpuCount() { return unsigned(sysconf(_SC_NPROCESSORS_ONLN)); }

void SetScheduling(Thread&, const Scheduling&) {}
uint64_t SwitchCount() { return 0; }
uint64_t AllowedCpus() { return CpuCount() < 64 ? (uint64_t{1} << CpuCount()) - 1 : ~uint64_t{0}; }
Result<void> SetAffinity(uint64_t cpus) {
  if ((cpus & AllowedCpus()) == 0) return Errno::kEINVAL;
  return {};
}
Result<void> MemoryBarrier(BarrierScope) {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return {};
}

CpuTimes ThreadCpuTimes(const Thread& thread) {
  std::lock_guard lock(const_cast<Thread&>(thread).mutex);
  if (thread.cpu_clock == 0) return {0, 0};  // it has not begun
  return {Now(thread.cpu_clock), 0};
}

WaitOutcome WaitOnWord(const std::atomic<uint32_t>& word, uint32_t expected, Deadline deadline) {
  Bucket& bucket = BucketOf(&word);
  std::unique_lock lock(bucket.mutex);
  if (word.load() != expected) return WaitOutcome::kWoken;
  if (MonotonicNow() >= deadline.at) return WaitOutcome::kTimedOut;
  fake::WaitBriefly(lock, bucket.changed, deadline);
  return MonotonicNow() >= deadline.at ? WaitOutcome::kTimedOut : WaitOutcome::kWoken;
}

void WakeWord(const std::atomic<uint32_t>& word, uint32_t) {
  Bucket& bucket = BucketOf(&word);
  std::lock_guard lock(bucket.mutex);
  bucket.changed.notify_all();  // others' wake-ups are spurious, which is allowed
}

void Yield() { sched_yield(); }

ParkOutcome Park(Deadline deadline, Interruptible interruptible) {
  Thread& self = CurrentThread();
  std::unique_lock lock(self.mutex);
  for (;;) {
    if (std::exchange(self.unparked, false)) return ParkOutcome::kUnparked;
    if (interruptible == Interruptible::kYes && self.kicked) return ParkOutcome::kKicked;
    if (MonotonicNow() >= deadline.at) return ParkOutcome::kTimedOut;
    self.parked = true;
    fake::WaitBriefly(lock, self.changed, deadline);
    self.parked = false;
  }
}

void Unpark(Thread& thread) {
  std::lock_guard lock(thread.mutex);
  thread.unparked = true;
  thread.changed.notify_all();
}

bool IsParked(const Thread& thread) {
  auto& target = const_cast<Thread&>(thread);
  std::lock_guard lock(target.mutex);
  return target.parked && !target.unparked && !target.kicked;
}

void Kick(Thread& thread) {
  std::lock_guard lock(thread.mutex);
  thread.kicked = true;
  thread.changed.notify_all();
}

bool KickPending() {
  Thread& self = CurrentThread();
  std::lock_guard lock(self.mutex);
  return self.kicked;
}

void ClearKick() {
  Thread& self = CurrentThread();
  std::lock_guard lock(self.mutex);
  self.kicked = false;
}

Nanoseconds Now(Clock clock) {
  const Nanoseconds frozen = g_frozen_at.load(), real = Now(CLOCK_MONOTONIC);
  const Nanoseconds monotonic = frozen >= 0 ? frozen : real + g_clock_offset.load();
  switch (clock) {
    case Clock::kRealtime:
    case Clock::kRealtimeCoarse:
    case Clock::kTai:
      return Now(CLOCK_REALTIME) - real + monotonic;
    default:
      return monotonic;
  }
}
Nanoseconds CoarseClockTick() { return 1; }

namespace fake {

void WaitBriefly(std::unique_lock<std::mutex>& lock, std::condition_variable& condition,
                 Deadline deadline) {
  // On the system's clock: ThreadSanitizer does not know waits on the steady one.
  constexpr Nanoseconds kBriefly = 20'000'000;
  const Nanoseconds left = g_frozen_at.load() >= 0 ? kBriefly : deadline.at - MonotonicNow();
  condition.wait_until(lock,
                       std::chrono::system_clock::now() +
                           std::chrono::nanoseconds(std::clamp<Nanoseconds>(left, 0, kBriefly)));
}

void WakeSleepers() {
  for (Bucket& bucket : Buckets()) {
    std::lock_guard lock(bucket.mutex);
    bucket.changed.notify_all();
  }
  std::lock_guard lock(Threads().mutex);
  for (Thread* thread : Threads().threads) {
    std::lock_guard thread_lock(thread->mutex);
    thread->changed.notify_all();
  }
}

void FreezeClock() { g_frozen_at = MonotonicNow(); }
void ThawClock() {
  const Nanoseconds frozen = g_frozen_at.exchange(-1);
  if (frozen >= 0) g_clock_offset = frozen - Now(CLOCK_MONOTONIC);
}
void AdvanceClock(Nanoseconds by) {
  if (g_frozen_at.load() >= 0) {
    g_frozen_at += by;
  } else {
    g_clock_offset += by;
  }
  WakeSleepers();
}

size_t LiveThreads() {
  std::lock_guard lock(Threads().mutex);
  return Threads().started;
}

void AwaitThreads(size_t count) {
  std::unique_lock lock(Threads().mutex);
  Threads().changed.wait(lock, [&] { return Threads().started <= count; });
}

}  // namespace fake
}  // namespace zrun::hal
