#include "objects/task/process.h"

namespace zrun {

Process::Process(RefPtr<Job> job, RefPtr<VmAddressRegion> region)
    : KernelObject(kType), job_(std::move(job)), region_(std::move(region)) {}

Process::~Process() {
  bool counted;
  {
    MutexLock lock(lock_);
    counted = counted_;
  }
  if (counted) job_->RemoveProcess();  // it never began
}

Result<RefPtr<Process>> Process::Create(RefPtr<Job> job, RefPtr<VmAddressRegion> region) {
  RefPtr<Process> process = TRY(MakeRef<Process>(std::move(job), std::move(region)));
  TRY(process->job_->AddProcess());
  MutexLock lock(process->lock_);
  process->counted_ = true;
  return process;
}

RefPtr<VmAddressRegion> Process::region() const {
  MutexLock lock(lock_);
  return region_;
}

RefPtr<VmAddressRegion> Process::ReplaceRegion(RefPtr<VmAddressRegion> region) {
  MutexLock lock(lock_);
  std::swap(region_, region);
  return region;
}

void Process::Terminate(int exit_code) {
  RefPtr<VmAddressRegion> region;
  bool counted;
  {
    MutexLock lock(lock_);
    counted = std::exchange(counted_, false);
    if (counted) exit_code_ = exit_code;
    std::swap(region, region_);
  }
  if (!counted) return;
  region = nullptr;
  UpdateSignals(Signals::kNone, Signals::kTerminated);
  job_->RemoveProcess();
}

int Process::exit_code() const {
  MutexLock lock(lock_);
  return exit_code_;
}

}  // namespace zrun
