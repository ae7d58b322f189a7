#pragma once
#include <optional>

#include "hal/thread.h"
#include "hal/user_context.h"
#include "objects/task/call_time.h"
#include "objects/task/process.h"

namespace zrun {

// A thread of a process. The personality derives from it and gives it a life in Main().
class Thread : public KernelObject {
 public:
  static constexpr ObjectType kType = ObjectType::kThread;
  ~Thread() override;

  // The Thread the caller runs as; null on kernel service threads.
  static Thread* Current();
  CallTime call_time;  // only its own thread

  // Runs Main() on a new kernel thread in |space|. Holds a reference on itself until Main() has
  // returned.
  Result<void> Start(hal::AddressSpace& space) EXCLUDES(machine_lock_);
  // The same in two steps: the new thread runs nothing of ours before SetMachineThread().
  Result<hal::Thread*> Launch(hal::AddressSpace& space);
  // fork: the same, in a copy of the caller's address space (objects/vm: VmAddressRegion::Fork says
  // how). For the VM layer: what the machine must run, and the thread it became.
  hal::ThreadStart PrepareStart();
  // Instead of the next, when the machine failed.
  void CancelStart();
  // The new thread waits for this before it runs anything of ours.
  void SetMachineThread(hal::Thread* thread) EXCLUDES(machine_lock_);

  Process& process() { return *process_; }
  const RefPtr<Process>& process_ref() { return process_; }
  // execve in a new address space: Main() ends here with the value it returns and goes on as
  // Continue() on a new kernel thread in |space|; the caller must return from Main() at once after
  // it.
  Result<void> MoveTo(hal::AddressSpace& space) EXCLUDES(machine_lock_);

  // Whether it sleeps, and nothing has woken it yet.
  bool IsParked() const EXCLUDES(machine_lock_);
  // Wakes it from an interruptible wait and out of guest code.
  void Kick() EXCLUDES(machine_lock_);
  // Its process is ending, so that nobody wants what it does: long work gives up.
  virtual bool MustExit() const { return false; }
  // How the machine schedules it, from now or from its start on.
  void SetScheduling(const hal::Scheduling& scheduling) EXCLUDES(machine_lock_);
  // CPU time so far; also after its end.
  hal::CpuTimes cpu_times() EXCLUDES(machine_lock_);
  // Set when Main() has returned.
  bool has_ended() const { return HasAny(signals(), Signals::kTerminated); }

 protected:
  explicit Thread(RefPtr<Process> process);
  // The personality's run loop, on the new kernel thread.
  virtual void Main() = 0;
  // Where a thread that moved goes on (execve); by default that is Main().
  virtual void Continue() { Main(); }

 private:
  static constexpr uint32_t kClosed = 0, kOpen = 1, kAwaited = 2;
  static void Entry(void* argument);
  static void ContinueEntry(void* argument);
  [[noreturn]] void Run(bool moved);
  void OpenGate();
  void PassGate();

  const RefPtr<Process> process_;
  std::atomic<uint32_t> gate_{kClosed};
  mutable Mutex machine_lock_{LockRank::kLeaf};
  hal::Thread* machine_ GUARDED_BY(machine_lock_) = nullptr;
  std::optional<hal::Scheduling> scheduling_ GUARDED_BY(machine_lock_);  // none: its creator's
  bool kicked_ GUARDED_BY(machine_lock_) = false;  // before there was a machine thread
  hal::CpuTimes ended_times_ GUARDED_BY(machine_lock_) = {};
  hal::Thread* successor_ = nullptr;  // only its own thread: where it goes on
};

}  // namespace zrun
