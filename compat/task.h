#pragma once
#include "compat/fd_table.h"
#include "compat/fs_context.h"
#include "compat/kernel.h"
#include "compat/memory_context.h"
#include "compat/signals.h"
#include "compat/syscall_types.h"
#include "compat/thread_group.h"
#include "objects/task/thread.h"
#include "objects/vm/user_memory.h"
#include "objects/wait.h"

namespace zrun::compat {

class ExecPlan;

// vfork's parent sleeps until the child no longer uses its memory.
struct VforkGate : RefCounted<VforkGate> {
  explicit VforkGate(hal::Thread& waiter) : thread(waiter) {}
  hal::Thread& thread;  // valid while |done| is false and the waiter has not left
  std::atomic<bool> done{false};
  Mutex lock{LockRank::kLeaf};
  bool waiter_left GUARDED_BY(lock) = false;
  void Open();
};

// How an interrupted call goes on by restart_syscall(2) (Linux: restart_block).
struct RestartState {
  SyscallResult (*resume)(Task& task, const RestartState& state) = nullptr;
  uint64_t arguments[6] = {};
};

// What the processor said of the last fault, for signal frames.
struct FaultFacts {
  uint64_t address = 0;
  uint32_t trap_number = 0;
  uint32_t error_code = 0;
};

// A Linux thread. The context every system call is handed. Only its own thread uses it unless a
// method says otherwise.
class Task final : public Thread, public ListNode<TaskListTag> {
 public:
  static Task& Current() { return *static_cast<Task*>(Thread::Current()); }
  ~Task() override;

  int32_t tid() const { return tid_.load(std::memory_order_relaxed); }  // any thread
  ThreadGroup& group() const { return *group_; }                        // any thread
  const RefPtr<ThreadGroup>& group_ref() const { return group_; }       // any thread
  Kernel& kernel() const { return Kernel::Get(); }
  hal::Registers& registers() { return hal::UserRegisters(); }
  UserMemory memory() { return UserMemory(*region_); }
  VmAddressRegion& region() { return *region_; }
  MemoryContext& memory_context() { return *memory_context_; }
  // Any thread (/proc): null once the task has let go of it.
  RefPtr<MemoryContext> ShareMemoryContext() const EXCLUDES(lock_);
  RefPtr<FdTable> ShareFds() const EXCLUDES(lock_);
  RefPtr<FsContext> ShareFs() const EXCLUDES(lock_);

  FdTable& fds() { return *fds_; }
  FsContext& fs() { return *fs_; }
  // unshare(2), exec.
  void ReplaceFds(RefPtr<FdTable> fds) EXCLUDES(lock_);
  void ReplaceFs(RefPtr<FsContext> fs) EXCLUDES(lock_);
  // Changes are published as a new object; any thread may ask.
  RefPtr<const vfs::Credentials> credentials() const EXCLUDES(lock_);
  void SetCredentials(RefPtr<vfs::Credentials> credentials) EXCLUDES(lock_);
  bool Has(vfs::Capability capability) const { return credentials()->Has(capability); }
  // What path calls start from. |directory| is AT_FDCWD or a descriptor (EBADF, ENOTDIR).
  struct WalkBase {
    RefPtr<const vfs::Credentials> credentials;
    vfs::WalkContext context;
  };
  Result<WalkBase> WalkFrom(Fd directory);
  // The usual way to make a descriptor: within RLIMIT_NOFILE.
  Result<uint64_t> InstallFile(RefPtr<vfs::FileDescription> file, bool close_on_exec);

  // Sleeps until |object| has one of |wanted|: what is set. kRestartSys if a signal comes first,
  // kETIMEDOUT.
  Result<Signals> WaitFor(KernelObject& object, Signals wanted, hal::Deadline deadline);
  // The same for many objects (poll); returns how many are ready, 0 at the deadline. kEINTR if a
  // signal comes first: whether that restarts is the caller's choice.
  Result<size_t> WaitForMany(std::span<WaitItem> items, hal::Deadline deadline);
  // Sleeps; kEINTR if a signal comes first, kETIMEDOUT (the normal end) at the deadline.
  Result<void> Sleep(hal::Deadline deadline);
  // Sleeps until somebody Unparks the thread; for WaitQueues. kAwake may be spurious.
  enum class Pause : uint8_t { kAwake, kTimedOut, kInterrupted };
  Pause ParkFor(hal::Deadline deadline);
  // A signal is waiting to be delivered, or the task must end: blocking calls give up.
  bool HasPendingSignal() {
    return (attention_.load(std::memory_order_acquire) & ~kAttendQuietly) != 0;
  }
  bool MustExit() const override {
    return attention_.load(std::memory_order_acquire) & kAttendExit;
  }
  // Remembers how to go on; return its result from the system call.
  Errno RestartWith(SyscallResult (*resume)(Task&, const RestartState&),
                    std::initializer_list<uint64_t> arguments);
  // restart_syscall(2).
  SyscallResult ResumeRestarted();

  TaskSignals& signal_state() { return signals_; }
  // A signal from the kernel to this thread or its process, for what it did (SIGPIPE, SIGXFSZ).
  void SendSelf(int signo);
  // For calls that wait with another signal mask (ppoll, epoll_pwait, pselect6): sets |mask| until
  // the call returns, or, if a signal interrupts it, until its handler has run. Kept (kEINVAL for
  // a |size| other than 8, kEFAULT); a null pointer changes nothing.
  Result<void> SetTemporaryMask(UserPtr<const uint64_t> mask, size_t size);
  void SetTemporaryMask(SignalSet mask);
  // Sets the mask at once; never blocks SIGKILL and SIGSTOP.
  void SetMask(SignalSet mask);

  // The name shown by ps (PR_SET_NAME).
  using Name = TextBuffer<15>;
  Name name() const EXCLUDES(lock_);
  void SetName(std::string_view name) EXCLUDES(lock_);

  // ---- What makes the run loop stop on its way to the guest. Any thread may set bits; it must
  // Kick() too.
  static constexpr uint32_t kAttendSignal = 1, kAttendExit = 2, kAttendStop = 4;
  // No reasons to give up a wait: CPU timers want to be looked at, the thread has another affinity,
  // another process wants something of this one's memory.
  static constexpr uint32_t kAttendClock = 8, kAttendAffinity = 16, kAttendMemory = 32;
  static constexpr uint32_t kAttendQuietly = kAttendClock | kAttendAffinity | kAttendMemory;
  void Demand(uint32_t bits) {
    attention_.fetch_or(bits, std::memory_order_acq_rel);
    Kick();
  }
  Mutex& signal_lock() RETURN_CAPABILITY(group_->signal_lock) { return group_->signal_lock; }
  // Recomputes kAttendSignal after the mask or the queues changed.
  void RecomputePending() REQUIRES(group_->signal_lock);
  // Takes the next signal of |wanted|; 0 if there is none. A timer's expects OnDelivered() when no
  // lock is held any more.
  int TakeSignal(SignalSet wanted, SigInfo& info, RefPtr<PosixTimer>& timer)
      REQUIRES(group_->signal_lock);
  // A fault of the guest's own instruction: reaches it though blocked or ignored.
  void ForceSignal(const SigInfo& info);
  // A sleep was cut short by a kick: does what cannot wait until the task is on its way out.
  void AnswerKick();
  // exit(2): this thread ends when the call returns. |status| as wait4 gives it.
  void End(int status) {
    exit_status_ = status;
    Demand(kAttendExit);
  }
  // Of one that has ended.
  int exit_status() const { return exit_status_; }
  // rt_sigreturn and exec: the registers are whole, no call is to be restarted.
  void ForgetSyscall() { syscall_number = -1; }
  // SIGCONT: the group's stop is over, or was called off. The lock of its signals is held.
  void ResumeFromStop() {
    attention_.fetch_and(~kAttendStop, std::memory_order_acq_rel);
    Demand(kAttendSignal);
  }

  // ---- Attributes. Plain ones belong to its own thread; others read the atomics.
  uint64_t clear_child_tid = 0;
  uint64_t robust_list = 0;
  std::atomic<bool> pi_waited_for{false};  // somebody may sleep for a PI futex of this thread's
  bool pi_left = false;  // it has released them for good; guarded by the kernel's lock
  // How it is scheduled; who changes one of these tells the machine by ApplyScheduling().
  std::atomic<int> nice{0};
  std::atomic<int> policy{0};  // SCHED_*
  std::atomic<int> rt_priority{0};
  std::atomic<bool> reset_on_fork{false};
  std::atomic<uint64_t> affinity{hal::AllowedCpus()};  // of the first 64 processors
  void ApplyScheduling();
  // Whether |caller| may give this one a nice value that is lower than its own (RLIMIT_NICE).
  bool MayBeNiced(Task& caller, int value);
  // Nanoseconds; the default is what its creator had (PR_SET_TIMERSLACK).
  std::atomic<uint64_t> timer_slack{50'000}, default_timer_slack{50'000};
  std::atomic<int> io_priority{0};
  std::atomic<uint32_t> personality{0};
  std::atomic<bool> has_left{false};        // it was not the first thread, and has ended
  std::atomic<int> parent_death_signal{0};  // PR_SET_PDEATHSIG
  std::atomic<bool> no_new_privs{false};
  std::atomic<bool> keep_caps{false};  // PR_SET_KEEPCAPS; cleared by exec
  std::atomic<uint64_t> start_time{0};
  // For getrusage and /proc/PID/stat.
  std::atomic<uint64_t> minor_faults{0}, major_faults{0}, voluntary_switches{0};
  // For /proc/PID/io: what went through read(2), write(2) and their like.
  std::atomic<uint64_t> read_bytes{0}, written_bytes{0}, read_calls{0}, write_calls{0};
  void CountRead(size_t bytes) {
    read_bytes.fetch_add(bytes, std::memory_order_relaxed);
    read_calls.fetch_add(1, std::memory_order_relaxed);
  }
  void CountWrite(size_t bytes) {
    written_bytes.fetch_add(bytes, std::memory_order_relaxed);
    write_calls.fetch_add(1, std::memory_order_relaxed);
  }
  // What it is doing, for /proc/PID/stat: R, S, D. One that was woken runs, though it may not have
  // come to anything yet.
  char state() const;
  std::atomic<bool> waits_for_vfork{false};
  Usage usage();
  // The system call it is in, -1 outside of one.
  int64_t syscall_number = -1;
  FaultFacts last_fault;
  // A buffer for an image of the vector state, aligned for it; zeroed when it is made.
  Result<std::span<std::byte>> VectorScratch(size_t size);
  RefPtr<UserAccount> account;

 private:
  void CountSleep();
  friend class TaskBuilder;  // compat/clone.cc: makes tasks
  friend class Exit;         // compat/exit.cc: takes them apart
  friend class ExecPlan;     // compat/exec.cc
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> zrun::MakeRef(Args&&...);
  explicit Task(RefPtr<ThreadGroup> group);
  void Main() override;
  void Continue() override;
  void Loop();
  bool HandleSyscall();
  void HandleFault(const hal::Trap& trap);
  void FailForMemory();
  // False: the task must leave its loop.
  bool Attend();
  void DeliverSignals();
  void StopHere() REQUIRES(group_->signal_lock);
  void StopByDefault(int signo);
  // Runs a handler: false if the frame could not be made.
  bool EnterHandler(int signo, const SigInfo& info, const SignalAction& action);
  void EndByDefault(int signo);
  // Decides what becomes of an interrupted call, before a handler with |flags| runs.
  void RestartBeforeHandler(uint64_t flags);
  void FinishSyscall(bool interrupted);
  void RestoreMask();

  std::atomic<int32_t> tid_{0};
  std::atomic<uint32_t> attention_{0};
  const RefPtr<ThreadGroup> group_;
  RefPtr<VmAddressRegion> region_;
  TaskSignals signals_;
  RestartState restart_;
  Errno restart_error_{};    // the interrupted call's kRestart*; nothing is left to decide if 0
  bool local_work_ = false;  // FinishSyscall has something to do
  Vector<std::byte> vector_scratch_;
  RefPtr<VforkGate> vfork_gate_;  // opened when this task lets go of its memory
  // How it starts: set by whoever makes it.
  hal::Registers start_registers_{};
  uint64_t start_thread_pointer_ = 0;
  uint64_t child_tid_address_ = 0;  // CLONE_CHILD_SETTID
  OwnPtr<ExecPlan> exec_plan_;      // execve that goes on in a new address space
  int exit_status_ = 0;             // of exit(2), as wait4 gives it

  mutable Mutex lock_{LockRank::kTask};
  RefPtr<const vfs::Credentials> credentials_ GUARDED_BY(lock_);
  // Written with the lock held by their own thread, which reads them without.
  RefPtr<MemoryContext> memory_context_;
  RefPtr<FdTable> fds_;
  RefPtr<FsContext> fs_;
  Name name_ GUARDED_BY(lock_);
};

}  // namespace zrun::compat
