#pragma once
#include <cstdint>

#include "objects/kernel_object.h"

namespace zrun {

struct JobLimits {
  uint64_t memory_bytes = UINT64_MAX;
  uint32_t processes = UINT32_MAX;
};

// A tree of processes that are limited and die together. A container is a Job.
class Job final : public KernelObject, private ListNode<Job> {
 public:
  static constexpr ObjectType kType = ObjectType::kJob;
  static Result<RefPtr<Job>> CreateRoot(JobLimits limits);
  Result<RefPtr<Job>> CreateChild(JobLimits limits);
  ~Job() override;
  const JobLimits& limits() const { return limits_; }
  uint32_t process_count() const EXCLUDES(lock_);
  // Counts a process against this job and its ancestors; EAGAIN at a limit, ESRCH when the job is
  // dead.
  Result<void> AddProcess() EXCLUDES(lock_);
  // Raises kTerminated when the last process of a killed job is gone.
  void RemoveProcess() EXCLUDES(lock_);
  // No new processes, here or in the jobs below; the personality ends those there are.
  void Kill() EXCLUDES(lock_);
  bool is_killed() const EXCLUDES(lock_);

 private:
  friend class IntrusiveList<Job, Job>;
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> MakeRef(Args&&...);
  Job(RefPtr<Job> parent, JobLimits limits);
  Result<void> AddOne() EXCLUDES(lock_);
  const RefPtr<Job> parent_;
  const JobLimits limits_;
  mutable Mutex lock_{LockRank::kJob};
  uint32_t processes_ GUARDED_BY(lock_) = 0;
  bool killed_ GUARDED_BY(lock_) = false;
  bool kill_seen_ = false;                              // guarded by the parent's lock
  IntrusiveList<Job, Job> children_ GUARDED_BY(lock_);  // each takes itself out when it dies
};

}  // namespace zrun
