#pragma once
#include <array>
#include <string_view>

#include "base/string.h"
#include "base/text.h"
#include "compat/futex_table.h"
#include "compat/pid_table.h"
#include "objects/task/job.h"
#include "vfs/mount.h"

namespace zrun::compat {

class Task;
class ThreadGroup;

enum class LogLevel : uint8_t { kError, kWarning, kInfo, kDebug };

// What there is one of: the container.
class Kernel {
 public:
  static Kernel& Get();

  // THE pid table's lock: who exists, parents and children, process groups and sessions.
  Mutex& lock() RETURN_CAPABILITY(lock_) { return lock_; }
  PidTable& pids() REQUIRES(lock_) { return pids_; }
  FutexTable& futexes() { return futexes_; }
  const RefPtr<Job>& job() const { return job_; }
  const RefPtr<vfs::MountNamespace>& mounts() const { return mounts_; }

  // pid 1, which adopts orphans; and the process whose end is the container's: the same, unless
  // pid 1 is the kernel's own reaper (zrun --init), which has no threads.
  ThreadGroup* init() REQUIRES(lock_) { return init_; }
  ThreadGroup* main() REQUIRES(lock_) { return main_; }
  hal::Nanoseconds boot_time() const { return boot_time_; }  // monotonic

  // How often a signal was sent to more than one process. A fork under way must know.
  uint64_t broadcasts() const REQUIRES(lock_) { return broadcasts_; }
  void CountBroadcast() REQUIRES(lock_) { broadcasts_++; }

  // uname(2). 64 characters at most.
  using UtsName = TextBuffer<64>;
  UtsName hostname() const EXCLUDES(uts_lock_);
  void SetHostname(std::string_view name) EXCLUDES(uts_lock_);
  UtsName domainname() const EXCLUDES(uts_lock_);
  void SetDomainname(std::string_view name) EXCLUDES(uts_lock_);

  // Told of each change of one of them. Null if there is no memory for it.
  enum class Uts : uint8_t { kHostname, kDomainname };
  vfs::ChangeNotice* uts_changes(Uts which);

  bool strace() const { return strace_; }
  LogLevel log_level() const { return log_level_; }
  // Lines for the launcher's standard error: "zrun: ...".
  template <typename... Parts>
  void Log(LogLevel level, const Parts&... parts) const {
    if (level > log_level_) return;
    LogLine(TextBuffer<256>(parts...));
  }
  // ENOSYS: logged once for each number, at kInfo.
  void NoteMissingSyscall(uint64_t number);

  // For /proc/stat, /proc/loadavg and sysinfo(2).
  std::atomic<uint64_t> forks{0};
  std::atomic<uint32_t> threads{0};
  std::atomic<uint64_t> sleeps{0};
  static constexpr std::string_view kRelease = "6.12.0-zrun";

 private:
  friend class Boot;         // compat/boot.cc
  friend class TaskBuilder;  // compat/clone.cc
  friend class TestKernel;   // compat/task_bed_for_test.h
  void LogLine(std::string_view text) const;
  Mutex lock_{LockRank::kKernel};
  PidTable pids_ GUARDED_BY(lock_);
  ThreadGroup* init_ GUARDED_BY(lock_) = nullptr;
  ThreadGroup* main_ GUARDED_BY(lock_) = nullptr;
  uint64_t broadcasts_ GUARDED_BY(lock_) = 0;
  FutexTable futexes_;
  RefPtr<Job> job_;
  RefPtr<vfs::MountNamespace> mounts_;
  hal::Nanoseconds boot_time_ = 0;
  mutable Mutex uts_lock_{LockRank::kLeaf};
  UtsName hostname_ GUARDED_BY(uts_lock_);
  UtsName domainname_ GUARDED_BY(uts_lock_);
  void TellUts(Uts which);
  std::array<std::atomic<vfs::ChangeNotice*>, 2> uts_changes_{};  // made when first asked for
  std::array<std::atomic<uint64_t>, 8> missing_seen_{};
  bool strace_ = false;
  LogLevel log_level_ = LogLevel::kWarning;
};

}  // namespace zrun::compat
