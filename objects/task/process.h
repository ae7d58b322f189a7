#pragma once
#include "objects/handle.h"
#include "objects/task/job.h"
#include "objects/vm/vm_address_region.h"

namespace zrun {

// What owns memory and handles. Linux's thread group has one.
class Process final : public KernelObject {
 public:
  static constexpr ObjectType kType = ObjectType::kProcess;
  // EAGAIN when the job's limit is reached. The job counts it until Terminate(), or until it is
  // gone without ever having begun.
  static Result<RefPtr<Process>> Create(RefPtr<Job> job, RefPtr<VmAddressRegion> region);
  ~Process() override;
  RefPtr<VmAddressRegion> region() const EXCLUDES(lock_);
  // execve; returns the old one, for the caller to drop when it holds no lock.
  RefPtr<VmAddressRegion> ReplaceRegion(RefPtr<VmAddressRegion> region) EXCLUDES(lock_);
  HandleTable& handles() { return handles_; }
  Job& job() { return *job_; }
  // Raises kTerminated; the personality calls it when the last thread is gone. Drops the region.
  void Terminate(int exit_code) EXCLUDES(lock_);
  int exit_code() const EXCLUDES(lock_);

 private:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> MakeRef(Args&&...);
  Process(RefPtr<Job> job, RefPtr<VmAddressRegion> region);
  const RefPtr<Job> job_;
  HandleTable handles_;
  mutable Mutex lock_{LockRank::kLeaf};
  RefPtr<VmAddressRegion> region_ GUARDED_BY(lock_);
  int exit_code_ GUARDED_BY(lock_) = 0;
  bool counted_ GUARDED_BY(lock_) = false;  // by the job
};

}  // namespace zrun
