// Run queues and switching between threads. Which thread runs is decided by hal/sched; this file
// is its locks, its harts and its clock.
//
// A hart's lock is held across the switch: the next thread releases it. So whoever holds it knows
// that a thread that is not the hart's current one is off its stack.
#include <new>
#include <utility>

#include "base/assert.h"
#include "hal/riscv64/sbi.h"
#include "hal/riscv64/space.h"
#include "hal/riscv64/vector_state.h"
#include "hal/sched/run_queue.h"

extern "C" void SwitchContext(zrun::hal::Thread* next);
extern "C" void ThreadBegin();

namespace zrun::hal {
namespace {

constexpr Nanoseconds kTick = 10'000'000;     // accounting, while somebody runs
constexpr Nanoseconds kBusyTick = 3'000'000;  // others wait
constexpr Nanoseconds kSpreadDelay =
    300'000;                                 // how long a woken thread may wait while a hart idles
constexpr uint64_t kStatusFloats = 3 << 13;  // sstatus.FS: off, initial, clean, dirty
constexpr uint64_t kFloatsClean = 2 << 13;

struct Queue {
  sched::FairPolicy fair;
  sched::StridePolicy stride;
  sched::RunQueue queue;
  Queue(bool use_stride, sched::Shares& shares, unsigned index)
      : queue(use_stride ? static_cast<sched::SharePolicy&>(stride) : fair, shares, index) {}
};
alignas(sched::Shares) constinit std::byte g_shares[sizeof(sched::Shares)] = {};
alignas(Queue) constinit std::byte g_queues[kMaxHarts][sizeof(Queue)] = {};

sched::Shares& AllShares() { return *std::launder(reinterpret_cast<sched::Shares*>(g_shares)); }
Thread& AsThread(sched::Entity& entity) { return static_cast<Thread&>(entity); }
bool IsIdle(const Hart& hart, const Thread& thread) { return hart.idle == &thread; }

void Account(Hart& hart, Thread& thread, Nanoseconds now) {
  const Nanoseconds ran = now - thread.started_at;
  thread.started_at = now;
  if (IsIdle(hart, thread)) {
    hart.idle_time.fetch_add(ran, std::memory_order_relaxed);
    return;
  }
  thread.ran.fetch_add(ran, std::memory_order_relaxed);
  hart.queue->Charge(ran);
}

// The hart whose run queue the thread is in, or was last, locked.
Hart& LockHartOf(Thread& thread) {
  for (;;) {
    Hart& hart = *thread.hart.load(std::memory_order_acquire);
    hart.lock.Lock();
    if (thread.hart.load(std::memory_order_relaxed) == &hart) return hart;
    hart.lock.Unlock();
  }
}

void AskToSwitch(Hart& hart) {
  hart.need_switch.store(true, std::memory_order_seq_cst);
  if (&hart != &ThisHart()) SendInterrupt(hart);
}

// A hart that has nothing to do and on which the thread may run; null if there is none.
Hart* FindIdleHart(const Thread& thread, Hart& preferred) {
  if (preferred.is_idle.load(std::memory_order_acquire) && sched::MayRunOn(thread, preferred.index))
    return &preferred;
  for (unsigned i = 0; i < HartCount(); i++) {
    Hart& hart = HartAt(i);
    if (hart.is_idle.load(std::memory_order_acquire) && sched::MayRunOn(thread, i)) return &hart;
  }
  return nullptr;
}

Hart& FirstAllowedHart(const Thread& thread, Hart& preferred) {
  if (sched::MayRunOn(thread, preferred.index)) return preferred;
  for (unsigned i = 0; i < HartCount(); i++) {
    if (HartAt(i).online.load(std::memory_order_relaxed) && sched::MayRunOn(thread, i))
      return HartAt(i);
  }
  return preferred;
}

// |hart.lock| is held; releases it.
void EnqueueAt(Hart& hart, Thread& thread, sched::Arrival arrival) {
  thread.state.store(ThreadState::kReady, std::memory_order_relaxed);
  if (std::exchange(thread.has_new_scheduling, false)) thread.scheduling = thread.new_scheduling;
  hart.queue->Join(thread, arrival);
  Hart& here = ThisHart();
  bool tell = false;
  if (hart.is_idle.load(std::memory_order_seq_cst) || hart.queue->ShouldSwitch()) {
    hart.need_switch.store(true, std::memory_order_seq_cst);
    tell = &hart != &here;
  } else {
    // Somebody else's processor time: soon a hart that idles takes it over.
    const Nanoseconds at = TimerNow() + kSpreadDelay;
    if (&hart == &here && at < hart.tick_at) {
      hart.tick_at = at;
      ProgramTimer(hart, at);
    }
  }
  hart.lock.Unlock();
  if (tell) SendInterrupt(hart);
}

// Another thread may have the float registers.
void LeaveFloats(Hart& hart, Thread& thread) {
  if ((thread.status & kStatusFloats) == 0) return;
  StoreChangedFloats(thread);
  hart.floats_owner = &thread;
  thread.floats_hart = &hart;
}

// Floats stay off until the guest uses them, unless they are still in this hart's registers.
void EnterFloats(Hart& hart, Thread& thread) {
  thread.status &= ~kStatusFloats;
  if (hart.floats_owner == &thread && thread.floats_hart == &hart) thread.status |= kFloatsClean;
}

// Sends on threads whose affinity has changed. |hart.lock| is held; releases it.
void DispatchStrays(Hart& hart) {
  while (Thread* stray = hart.strays.PopFront()) {
    Hart& target = FirstAllowedHart(*stray, hart);
    stray->hart.store(&target, std::memory_order_release);
    hart.lock.Unlock();
    target.lock.Lock();
    EnqueueAt(target, *stray, sched::Arrival::kMoved);
    hart.lock.Lock();
  }
  hart.lock.Unlock();
}

// On the next thread's stack: the previous one is off its own.
void FinishSwitch() {
  Hart& hart = ThisHart();
  Thread* previous = hart.switched_from;
  hart.switched_from = nullptr;
  // Asked under the lock: afterwards it may be woken, run elsewhere and die there.
  const bool dead = previous->state.load(std::memory_order_relaxed) == ThreadState::kDead;
  DispatchStrays(hart);
  if (dead) RecycleDead(*previous);
}

// Takes a waiting thread from the busiest other hart. |hart.lock| is not held.
Thread* Steal(Hart& hart) {
  Hart* busiest = nullptr;
  unsigned most = 0;
  for (unsigned i = 0; i < HartCount(); i++) {
    Hart& other = HartAt(i);
    if (&other == &hart || !other.online.load(std::memory_order_relaxed)) continue;
    const unsigned waiting = other.queue->waiting();
    if (waiting <= most) continue;
    most = waiting;
    busiest = &other;
  }
  if (!busiest || !busiest->lock.TryLock()) return nullptr;
  sched::Entity* entity = busiest->queue->Spare(hart.index);
  if (entity) {
    busiest->queue->Remove(*entity);
    AsThread(*entity).state.store(ThreadState::kMoving, std::memory_order_relaxed);
    AsThread(*entity).hart.store(&hart, std::memory_order_release);
  }
  busiest->lock.Unlock();
  return entity ? &AsThread(*entity) : nullptr;
}

// Takes a thread over from a hart that is behind. |hart.lock| is held; the others' are only tried,
// which cannot deadlock.
void TakeOver(Hart& hart) {
  bool asked_all = true;
  for (unsigned i = 1; i < HartCount(); i++) {
    Hart& other = HartAt((hart.index + i) % HartCount());
    if (!other.online.load(std::memory_order_relaxed) || other.queue->waiting() == 0) continue;
    if (!other.lock.TryLock()) {
      asked_all = false;
      continue;
    }
    sched::Entity* entity = other.queue->FindFor(*hart.queue);
    if (entity) {
      other.queue->Remove(*entity);
      hart.queue->Join(*entity, sched::Arrival::kMoved);
      AsThread(*entity).hart.store(&hart, std::memory_order_release);
    }
    other.lock.Unlock();
    if (entity) return;
  }
  if (asked_all) hart.queue->ForgiveLead();
}

}  // namespace

void InitScheduler() {
  const bool stride = KernelOption("scheduler") == "stride";
  auto* shares = new (g_shares) sched::Shares(HartCount());
  for (unsigned i = 0; i < HartCount(); i++) {
    auto* queue = new (&g_queues[i]) Queue(stride, *shares, i);
    HartAt(i).queue = &queue->queue;
  }
}

void Schedule(SwitchReason reason) {
  Thread& self = CurrentThread();
  Hart& hart = ThisHart();
  hart.lock.Lock();
  hart.need_switch.store(false, std::memory_order_relaxed);
  const Nanoseconds now = TimerNow();
  Account(hart, self, now);
  const ThreadState state = self.state.load(std::memory_order_relaxed);
  if (!IsIdle(hart, self)) {
    if (state == ThreadState::kRunning) {
      // Woken before it slept, or preempted.
      if (reason == SwitchReason::kBlocked && !self.has_new_scheduling) {
        hart.lock.Unlock();
        return;
      }
      hart.queue->PutBack(reason == SwitchReason::kYield);
      self.state.store(ThreadState::kReady, std::memory_order_relaxed);
      self.involuntary_switches++;
      if (self.has_new_scheduling) {
        self.has_new_scheduling = false;
        hart.queue->Change(self, true, self.new_scheduling);
      }
    } else {
      hart.queue->Retire();
      self.voluntary_switches++;
    }
  }
  sched::Entity* entity = hart.queue->Take();
  while (entity && !sched::MayRunOn(*entity, hart.index) && HartCount() > 1) {
    // Its affinity has changed: it goes where it may run.
    Thread& stray = AsThread(*entity);
    Hart& target = FirstAllowedHart(stray, hart);
    if (&target == &hart) break;
    hart.queue->Retire();
    stray.state.store(ThreadState::kMoving, std::memory_order_relaxed);
    hart.strays.PushBack(stray);
    entity = hart.queue->Take();
  }
  Thread& next = entity ? AsThread(*entity) : *hart.idle;
  next.started_at = now;
  next.state.store(ThreadState::kRunning, std::memory_order_relaxed);
  if (&next == &self) {
    DispatchStrays(hart);
    return;
  }
  LeaveFloats(hart, self);
  LeaveVectors(hart, self);
  EnterFloats(hart, next);
  EnterVectors(hart, next);
  if (next.space) {
    next.space->Load(hart);
  } else if (hart.loaded) {
    hart.loaded->Rest(hart);
  }
  hart.switched_from = &self;
  hart.switches.fetch_add(1, std::memory_order_relaxed);
  hart.current.store(&next, std::memory_order_seq_cst);
  const Nanoseconds tick =
      &next == hart.idle ? INT64_MAX : now + (hart.queue->NeedsTick() ? kBusyTick : kTick);
  hart.tick_at = tick;
  if (tick != INT64_MAX) ProgramTimer(hart, tick);
  SwitchContext(&next);
  FinishSwitch();
}

extern "C" [[noreturn]] void ThreadMain() {
  FinishSwitch();
  EnableInterrupts();
  Thread& self = CurrentThread();
  self.start.entry(self.start.argument);
  PANIC("a kernel thread's entry returned");
}

void MakeReady(Thread& thread) {
  InterruptsOff off;
  Hart& last = LockHartOf(thread);
  if (last.current.load(std::memory_order_relaxed) == &thread) {
    // Not asleep yet: it will notice in Schedule().
    thread.state.store(ThreadState::kRunning, std::memory_order_relaxed);
    last.lock.Unlock();
    return;
  }
  Hart* target = &last;
  // Its own hart if that idles, or if it is the waker's, which often sleeps at once; else one that
  // idles.
  if (!last.is_idle.load(std::memory_order_acquire) || !sched::MayRunOn(thread, last.index)) {
    Hart* idle = &last == &ThisHart() && sched::MayRunOn(thread, last.index)
                     ? nullptr
                     : FindIdleHart(thread, last);
    target = idle ? idle : &FirstAllowedHart(thread, last);
  }
  if (target != &last) {
    thread.hart.store(target, std::memory_order_release);
    last.lock.Unlock();
    target->lock.Lock();
  }
  EnqueueAt(*target, thread, sched::Arrival::kWoken);
}

void EnqueueNew(Thread& thread) {
  InterruptsOff off;
  Hart& target = FirstAllowedHart(thread, ThisHart());
  thread.hart.store(&target, std::memory_order_release);
  target.lock.Lock();
  EnqueueAt(target, thread, sched::Arrival::kNew);
}

void OnSchedulerTick(Hart& hart, bool from_user) {
  Thread& self = CurrentThread();
  if (IsIdle(hart, self)) {
    hart.tick_at = INT64_MAX;
    return;
  }
  auto& samples = from_user ? self.user_samples : self.system_samples;
  samples.fetch_add(1, std::memory_order_relaxed);
  Hart* helper = nullptr;
  Nanoseconds next;
  {
    SpinLocked lock(hart.lock);
    const Nanoseconds now = TimerNow();
    Account(hart, self, now);
    AllShares().Divide();
    TakeOver(hart);
    if (hart.queue->ShouldSwitch()) hart.need_switch.store(true, std::memory_order_relaxed);
    next = now + (hart.queue->NeedsTick() ? kBusyTick : kTick);
    for (unsigned i = 0; hart.queue->waiting() > 0 && i < HartCount() && !helper; i++) {
      Hart& other = HartAt(i);
      if (other.is_idle.load(std::memory_order_acquire) && hart.queue->Spare(i)) helper = &other;
    }
  }
  hart.tick_at = next;
  ProgramTimer(hart, next);
  if (helper) AskToSwitch(*helper);
}

// The idle thread of each hart. Interrupts stay off while it decides: one that comes after the look
// ends the wait at once, for wfi does not ask whether they are on.
void IdleLoop() {
  for (;;) {
    DisableInterrupts();
    Hart& hart = ThisHart();
    hart.is_idle.store(true, std::memory_order_seq_cst);
    if (!hart.need_switch.load(std::memory_order_seq_cst)) {
      if (Thread* stolen = Steal(hart)) {
        hart.lock.Lock();
        EnqueueAt(hart, *stolen, sched::Arrival::kMoved);
      } else {
        asm volatile("wfi" : : : "memory");
      }
    }
    hart.is_idle.store(false, std::memory_order_seq_cst);
    EnableInterrupts();  // what has come is handled here
    DisableInterrupts();
    Schedule(SwitchReason::kPreempted);
    EnableInterrupts();
  }
}

void Yield() {
  InterruptsOff off;
  Schedule(SwitchReason::kYield);
}

void SetScheduling(Thread& thread, const Scheduling& scheduling) {
  InterruptsOff off;
  Hart& hart = LockHartOf(thread);
  switch (thread.state.load(std::memory_order_relaxed)) {
    case ThreadState::kRunning:
    case ThreadState::kMoving:
      thread.new_scheduling = scheduling;
      thread.has_new_scheduling = true;
      break;
    case ThreadState::kReady:
      hart.queue->Change(thread, true, scheduling);
      break;
    case ThreadState::kBlocked:
    case ThreadState::kDead:
      hart.queue->Change(thread, false, scheduling);
      break;
  }
  hart.lock.Unlock();
  AskToSwitch(hart);
}

unsigned CurrentCpu() {
  InterruptsOff off;
  return ThisHart().index;
}
unsigned CpuCount() { return HartCount(); }
uint64_t AllowedCpus() {
  return HartCount() >= 64 ? ~uint64_t{0} : (uint64_t{1} << HartCount()) - 1;
}

Result<void> SetAffinity(uint64_t cpus) {
  if ((cpus & AllowedCpus()) == 0) return Errno::kEINVAL;
  Thread& self = CurrentThread();
  Scheduling scheduling = self.has_new_scheduling ? self.new_scheduling : self.scheduling;
  scheduling.affinity = cpus;
  SetScheduling(self, scheduling);
  Yield();  // and goes on where it may
  return {};
}

// An interrupt on every other hart, which is a barrier there.
Result<void> MemoryBarrier(BarrierScope) {
  constexpr uint64_t kFenceI = 0, kAllHarts = UINT64_MAX;
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (HartCount() > 1) SbiCall(SbiExtension::kRemoteFence, kFenceI, 0, kAllHarts);
  return {};
}

uint64_t SwitchCount() {
  uint64_t count = 0;
  for (unsigned i = 0; i < HartCount(); i++) count += HartAt(i).switches.load();
  return count;
}

CpuTimes ThreadCpuTimes(const Thread& thread) {
  CpuTimes times;
  Nanoseconds ran = thread.ran.load(std::memory_order_relaxed);
  if (&thread == &CurrentThread()) {
    InterruptsOff off;
    ran += TimerNow() - thread.started_at;
    times.minor_faults = thread.minor_faults;
    times.voluntary_switches = thread.voluntary_switches;
    times.involuntary_switches = thread.involuntary_switches;
  }
  if (thread.space) times.peak_resident_bytes = thread.space->peak_pages() * kPageSize;
  // What ticks have found it doing divides the time, which is exact.
  const uint64_t user = thread.user_samples.load(std::memory_order_relaxed) + 1;
  const uint64_t system = thread.system_samples.load(std::memory_order_relaxed) + 1;
  times.user = Nanoseconds(uint64_t(ran) / (user + system) * user);
  times.system = ran - times.user;
  return times;
}

}  // namespace zrun::hal
