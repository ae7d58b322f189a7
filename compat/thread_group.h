#pragma once
#include <array>
#include <atomic>

#include "compat/kernel.h"
#include "compat/process_group.h"
#include "compat/signals.h"
#include "compat/wait_queue.h"
#include "objects/task/process.h"
#include "objects/task/thread.h"

namespace zrun::compat {

class Task;
class PosixTimers;
class PidFd;
struct SiblingTag;

class SignalWatcher : public ListNode<SignalWatcher> {
 public:
  // Called with the signal lock held.
  virtual void OnSignalSent(int signo) = 0;

 protected:
  ~SignalWatcher() = default;
};

struct TaskListTag;

// RLIMIT_*, <asm-generic/resource.h>.
enum class Limit : uint8_t {
  kCpu,
  kFileSize,
  kData,
  kStack,
  kCore,
  kRss,
  kProcesses,
  kFiles,
  kLocked,
  kAddressSpace,
  kLocks,
  kPendingSignals,
  kMessageQueues,
  kNice,
  kRtPriority,
  kRtTime,
};
inline constexpr size_t kLimitCount = 16;
inline constexpr uint64_t kUnlimited = ~uint64_t{0};
struct LimitValue {
  uint64_t soft;
  uint64_t hard;
};
class Limits {
 public:
  Limits();
  LimitValue Get(Limit limit) const {
    return {soft_[size_t(limit)].load(std::memory_order_relaxed),
            hard_[size_t(limit)].load(std::memory_order_relaxed)};
  }
  uint64_t soft(Limit limit) const { return Get(limit).soft; }
  void Set(Limit limit, LimitValue value) {
    soft_[size_t(limit)].store(value.soft, std::memory_order_relaxed);
    hard_[size_t(limit)].store(value.hard, std::memory_order_relaxed);
  }
  void CopyFrom(const Limits& other) {
    for (size_t i = 0; i < kLimitCount; i++) Set(Limit(i), other.Get(Limit(i)));
  }

 private:
  std::array<std::atomic<uint64_t>, kLimitCount> soft_;
  std::array<std::atomic<uint64_t>, kLimitCount> hard_;
};

// getrusage(2), summed.
struct Usage {
  hal::Nanoseconds user = 0, system = 0;
  uint64_t minor_faults = 0, major_faults = 0, voluntary_switches = 0, involuntary_switches = 0;
  uint64_t max_resident_bytes = 0;
  uint64_t read_bytes = 0, written_bytes = 0, read_calls = 0, write_calls = 0;
  void Add(const Usage& other);
};

// A Linux process: threads that share a pid, signals and limits.
class ThreadGroup final : public RefCounted<ThreadGroup>,
                          public ListNode<SiblingTag>,
                          public ListNode<GroupMemberTag> {
 public:
  static Result<RefPtr<ThreadGroup>> Create(int32_t pid, RefPtr<Process> process,
                                            RefPtr<SignalActions> actions);
  ~ThreadGroup();

  int32_t pid() const { return pid_; }
  // Zircon's process: koid, job, memory, kTerminated.
  Process& process() { return *process_; }
  const RefPtr<Process>& process_ref() { return process_; }
  Limits& limits() { return limits_; }
  hal::Nanoseconds start_time() const { return start_time_; }  // monotonic

  // ---- The tree. Guarded by Kernel::lock.
  ThreadGroup* parent = nullptr;  // null: pid 1, or already forgotten
  int32_t parent_tid = 0;         // the parent's thread that made it: __WNOTHREAD, PR_SET_PDEATHSIG
  IntrusiveList<ThreadGroup, SiblingTag> children;
  RefPtr<ProcessGroup> process_group;
  Session& session() { return *process_group->session; }
  int exit_signal = abi::kSigChld;  // to the parent; 0: none (then only __WCLONE waits see it)
  bool is_zombie = false;
  bool reaps_by_itself = false;  // the kernel's own pid 1: its children leave no zombies
  bool has_execed = false;       // setpgid(2): EACCES for the parent then
  bool subreaper = false;        // PR_SET_CHILD_SUBREAPER
  uint32_t real_uid = 0;         // of the last thread, kept for wait's siginfo
  WaitQueue child_waiters;       // our threads in wait4
  // Its first thread once that has ended, or never runs: whoever asks for it by number finds it
  // until the process is forgotten.
  RefPtr<Task> remains;
  // What the zombie leaves.
  int exit_status = 0;  // as wait4 gives it
  Usage final_usage;
  Usage children_usage;  // waited for

  // ---- Signals and threads. Guarded by signal_lock.
  Mutex signal_lock{LockRank::kSignals};
  IntrusiveList<Task, TaskListTag> tasks GUARDED_BY(signal_lock);
  int live_tasks GUARDED_BY(signal_lock) = 0;
  Task* leader GUARDED_BY(signal_lock) = nullptr;  // null once it has exited
  SignalQueue shared_queue GUARDED_BY(signal_lock);
  RefPtr<SignalActions> actions;  // replaced by exec only
  // The whole group ends: exit_group, a fatal signal, or exec by another thread.
  bool exiting GUARDED_BY(signal_lock) = false;
  int group_status GUARDED_BY(signal_lock) = 0;  // as wait4 gives it
  Task* exec_task GUARDED_BY(signal_lock) = nullptr;
  // Job control. |stop_signal| is set from the stop signal until SIGCONT.
  int stop_signal GUARDED_BY(signal_lock) = 0;
  int stopping_tasks GUARDED_BY(signal_lock) = 0;  // which have not stopped yet
  bool is_stopped GUARDED_BY(signal_lock) = false;
  bool stop_reportable GUARDED_BY(signal_lock) = false;      // WUNTRACED
  bool continue_reportable GUARDED_BY(signal_lock) = false;  // WCONTINUED
  bool announce_stop GUARDED_BY(signal_lock) = false;
  bool announce_continue GUARDED_BY(signal_lock) = false;
  uint32_t continue_count GUARDED_BY(signal_lock) = 0;  // SIGCONTs so far: a stop may come too late
  // Told of each signal that is sent to the process or one of its threads: signalfds.
  IntrusiveList<SignalWatcher, SignalWatcher> signal_watchers GUARDED_BY(signal_lock);
  Usage dead_usage GUARDED_BY(signal_lock);  // of threads that have ended

  // Default-action signals do not harm it unless the launcher sent them (pid 1; signal(7)).
  std::atomic<bool> undoes_semaphores{false};  // has used SEM_UNDO
  std::atomic<bool> unkillable{false};
  std::atomic<int> oom_score_adj{0};
  // /proc/PID/loginuid, sessionid (both ~0: nobody logged in) and coredump_filter; inherited.
  std::atomic<uint32_t> login_user{~0u}, login_session{~0u};
  std::atomic<uint32_t> coredump_filter{0x33};
  // TIOCNOTTY: its session's terminal is not its own any more. setsid(2) starts anew.
  std::atomic<bool> gave_up_terminal{false};

  // Files that stand for it, told at its end. A file may be closed with other locks held.
  Mutex pid_fd_lock{LockRank::kPort};
  IntrusiveList<PidFd, PidFd> pid_fds GUARDED_BY(pid_fd_lock);
  // How far its end has come.
  enum class EndStage : uint8_t { kRuns, kLeaderEnded, kEnded, kForgotten };
  EndStage end_stage GUARDED_BY(pid_fd_lock) = EndStage::kRuns;

  // User and system time of all threads, those that ended too.
  Usage usage() EXCLUDES(signal_lock);
  hal::CpuTimes cpu_times() EXCLUDES(signal_lock);
  int thread_count() EXCLUDES(signal_lock);
  // A live thread, the leader if possible; null if all have exited. For /proc and others'
  // questions.
  RefPtr<Task> AnyTask() EXCLUDES(signal_lock);

  PosixTimers& timers() { return *timers_; }

 private:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> zrun::MakeRef(Args&&...);
  ThreadGroup(int32_t pid, RefPtr<Process> process, RefPtr<SignalActions> actions,
              OwnPtr<PosixTimers> timers);
  const int32_t pid_;
  const RefPtr<Process> process_;
  const hal::Nanoseconds start_time_;
  Limits limits_;
  OwnPtr<PosixTimers> timers_;
};

// exit_group and fatal signals: all threads of |group| end with |status| (as wait4 gives it). The
// first caller's status counts.
void BeginGroupExit(ThreadGroup& group, int status) REQUIRES(group.signal_lock);

}  // namespace zrun::compat
