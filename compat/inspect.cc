#include "compat/inspect.h"

namespace zrun::compat {
namespace {

// A copy, by whoever runs in the address space; one of the spans is empty.
class CopyErrand final : public MemoryErrand {
 public:
  CopyErrand(uint64_t address, std::span<std::byte> in, std::span<const std::byte> out)
      : address_(address), in_(in), out_(out) {}
  void Run(VmAddressRegion& region) override {
    UserMemory memory(region);
    auto copied = in_.empty() ? memory.CopyOut(UserPtr<std::byte>(address_), out_)
                              : memory.CopyIn(in_, UserPtr<const std::byte>(address_));
    if (copied.ok()) {
      copied_ = copied.value();
    } else {
      error_ = copied.error();
    }
  }
  Result<size_t> result() const {
    if (error_ != Errno{}) return error_;
    return copied_;
  }

 private:
  const uint64_t address_;
  const std::span<std::byte> in_;
  const std::span<const std::byte> out_;
  size_t copied_ = 0;
  Errno error_ = {};
};

class ResidencyErrand final : public MemoryErrand {
 public:
  ResidencyErrand(hal::VirtRange range, std::span<uint8_t> out) : range_(range), out_(out) {}
  void Run(VmAddressRegion& region) override { result_ = region.Residency(range_, out_); }
  Result<void> result() const { return result_; }

 private:
  const hal::VirtRange range_;
  const std::span<uint8_t> out_;
  Result<void> result_;
};

template <typename Errand>
auto RunErrand(Task& task, Task& target, Errand& errand) -> decltype(errand.result()) {
  const auto context = target.ShareMemoryContext();
  if (!context) return Errno::kESRCH;
  if (context.get() == &task.memory_context()) {
    errand.Run(task.region());
    return errand.result();
  }
  TRY(context->AddErrand(errand));
  {
    MutexLock lock(target.group().signal_lock);
    for (Task& thread : target.group().tasks) thread.Demand(Task::kAttendMemory);
  }
  // Two processes may look into each other: the other's errands are run meanwhile.
  bool refused = false;
  while (!context->IsOver(errand, refused)) {
    if (task.MustExit()) context->WithdrawErrand(errand);
    if (hal::Park(hal::Deadline::Never(), hal::Interruptible::kYes) == hal::ParkOutcome::kKicked)
      task.AnswerKick();
  }
  if (refused) return Errno::kESRCH;
  return errand.result();
}

}  // namespace

Result<RefPtr<Task>> FindTask(int32_t tid) {
  MutexLock lock(Kernel::Get().lock());
  RefPtr<Task> task(Kernel::Get().pids().FindTask(tid));
  if (!task) return Errno::kESRCH;
  return task;
}

bool MayInspect(Task& task, Task& target) {
  if (&task.group() == &target.group()) return true;
  const auto mine = task.credentials(), theirs = target.credentials();
  if (mine->Has(vfs::Capability::kSysPtrace)) return true;
  const bool same = mine->uid == theirs->uid && mine->uid == theirs->euid &&
                    mine->uid == theirs->suid && mine->gid == theirs->gid &&
                    mine->gid == theirs->egid && mine->gid == theirs->sgid;
  const auto memory = target.ShareMemoryContext();
  return same && (theirs->cap_permitted & ~mine->cap_permitted) == 0 &&
         (!memory || memory->dumpable.load() == 1);
}

Result<size_t> ReadMemoryOf(Task& task, Task& target, uint64_t address,
                            std::span<std::byte> bytes) {
  CopyErrand errand(address, bytes, {});
  return RunErrand(task, target, errand);
}

Result<size_t> WriteMemoryOf(Task& task, Task& target, uint64_t address,
                             std::span<const std::byte> bytes) {
  CopyErrand errand(address, {}, bytes);
  return RunErrand(task, target, errand);
}

Result<void> ResidencyOf(Task& task, Task& target, hal::VirtRange range, std::span<uint8_t> out) {
  ResidencyErrand errand(range, out);
  return RunErrand(task, target, errand);
}

}  // namespace zrun::compat
