#include "objects/task/thread.h"

namespace zrun {

Thread::Thread(RefPtr<Process> process) : KernelObject(kType), process_(std::move(process)) {}

Thread::~Thread() = default;

Thread* Thread::Current() { return static_cast<Thread*>(hal::ThreadSlot(hal::CurrentThread())); }

hal::ThreadStart Thread::PrepareStart() {
  AddRef();  // Run() gives it back
  gate_.store(kClosed, std::memory_order_relaxed);
  return {&Entry, this};
}

void Thread::CancelStart() { Release(); }

void Thread::SetMachineThread(hal::Thread* thread) {
  {
    MutexLock lock(machine_lock_);
    machine_ = thread;
    if (scheduling_) hal::SetScheduling(*thread, *scheduling_);
    if (kicked_) hal::Kick(*thread);
    kicked_ = false;
  }
  OpenGate();
}

Result<hal::Thread*> Thread::Launch(hal::AddressSpace& space) {
  auto started = hal::StartThread(&space, PrepareStart());
  if (!started.ok()) CancelStart();
  return started;
}

Result<void> Thread::Start(hal::AddressSpace& space) {
  SetMachineThread(TRY(Launch(space)));
  return {};
}

void Thread::OpenGate() {
  if (gate_.exchange(kOpen, std::memory_order_release) == kAwaited)
    hal::WakeWord(gate_, UINT32_MAX);
}

// The creator may still be noting who we are, or a former self be on its way out.
void Thread::PassGate() {
  for (;;) {
    uint32_t state = gate_.load(std::memory_order_acquire);
    if (state == kOpen) return;
    if (state == kAwaited ||
        gate_.compare_exchange_strong(state, kAwaited, std::memory_order_relaxed))
      hal::WaitOnWord(gate_, kAwaited, hal::Deadline::Never());
  }
}

void Thread::Entry(void* argument) { static_cast<Thread*>(argument)->Run(false); }
void Thread::ContinueEntry(void* argument) { static_cast<Thread*>(argument)->Run(true); }

void Thread::Run(bool moved) {
  PassGate();
  hal::Thread& machine = hal::CurrentThread();
  hal::SetThreadSlot(machine, this);
  if (moved) {
    Continue();
  } else {
    Main();
  }
  hal::SetThreadSlot(machine, nullptr);
  const hal::CpuTimes used = hal::ThreadCpuTimes(machine);
  hal::Thread* const successor = std::exchange(successor_, nullptr);
  {
    MutexLock lock(machine_lock_);
    ended_times_.Add(used);
    machine_ = successor;
    // A kick that the old thread has not answered is the new one's.
    if (successor) hal::Kick(*successor);
  }
  if (successor) {
    OpenGate();  // the reference goes on to it
  } else {
    UpdateSignals(Signals::kNone, Signals::kTerminated);
    Release();
  }
  hal::ExitThread();
}

Result<void> Thread::MoveTo(hal::AddressSpace& space) {
  DCHECK(Current() == this && !successor_);
  gate_.store(kClosed, std::memory_order_relaxed);
  auto started = hal::StartThread(&space, {&ContinueEntry, this});
  if (!started.ok()) {
    gate_.store(kOpen, std::memory_order_relaxed);
    return started.error();
  }
  successor_ = started.value();
  return {};
}

void Thread::Kick() {
  MutexLock lock(machine_lock_);
  if (machine_) {
    hal::Kick(*machine_);
  } else {
    kicked_ = true;
  }
}

bool Thread::IsParked() const {
  MutexLock lock(machine_lock_);
  return machine_ && hal::IsParked(*machine_);
}

void Thread::SetScheduling(const hal::Scheduling& scheduling) {
  MutexLock lock(machine_lock_);
  scheduling_ = scheduling;
  if (machine_) hal::SetScheduling(*machine_, scheduling);
}

hal::CpuTimes Thread::cpu_times() {
  MutexLock lock(machine_lock_);
  hal::CpuTimes times = ended_times_;
  if (machine_) {
    times.Add(hal::ThreadCpuTimes(*machine_));
  }
  return times;
}

}  // namespace zrun
