#include "objects/task/job.h"

namespace zrun {

Job::Job(RefPtr<Job> parent, JobLimits limits)
    : KernelObject(kType), parent_(std::move(parent)), limits_(limits) {}

Job::~Job() {
  if (!parent_) return;
  MutexLock lock(parent_->lock_);
  static_cast<ListNode<Job>&>(*this).Unlink();
}

Result<RefPtr<Job>> Job::CreateRoot(JobLimits limits) { return MakeRef<Job>(nullptr, limits); }

Result<RefPtr<Job>> Job::CreateChild(JobLimits limits) {
  RefPtr<Job> child = TRY(MakeRef<Job>(RefPtr<Job>(this), limits));
  MutexLock lock(lock_);
  if (killed_) return Errno::kESRCH;
  children_.PushBack(*child);
  return child;
}

uint32_t Job::process_count() const {
  MutexLock lock(lock_);
  return processes_;
}

Result<void> Job::AddOne() {
  MutexLock lock(lock_);
  if (killed_) return Errno::kESRCH;
  if (processes_ >= limits_.processes) return Errno::kEAGAIN;
  processes_++;
  return {};
}

Result<void> Job::AddProcess() {
  TRY(AddOne());
  if (!parent_) return {};
  auto added = parent_->AddProcess();
  if (!added.ok()) {
    // As if it had not been: only this level counts it.
    MutexLock lock(lock_);
    processes_--;
  }
  return added;
}

void Job::RemoveProcess() {
  for (Job* job = this; job; job = job->parent_.get()) {
    bool over;
    {
      MutexLock lock(job->lock_);
      over = --job->processes_ == 0 && job->killed_;
    }
    if (over) job->UpdateSignals(Signals::kNone, Signals::kTerminated);
  }
}

void Job::Kill() {
  bool over;
  {
    MutexLock lock(lock_);
    if (killed_) return;
    killed_ = true;
    over = processes_ == 0;
  }
  for (;;) {
    // No child is added any more; each leaves the loop's view by being killed.
    RefPtr<Job> next;
    {
      MutexLock lock(lock_);
      for (Job& child : children_) {
        if (child.kill_seen_ || !child.TryAddRef()) continue;
        child.kill_seen_ = true;
        next = RefPtr<Job>::Adopt(&child);
        break;
      }
    }
    if (!next) break;
    next->Kill();
  }
  if (over) UpdateSignals(Signals::kNone, Signals::kTerminated);
}

bool Job::is_killed() const {
  MutexLock lock(lock_);
  return killed_;
}

}  // namespace zrun
