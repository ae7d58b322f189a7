#pragma once
#include <array>
#include <atomic>

#include "base/ref_ptr.h"
#include "objects/vm/vm_address_region.h"
#include "vfs/file_description.h"

namespace zrun::compat {

// An address space as Linux sees it (mm_struct): the region and what execve recorded about it.
// Shared by CLONE_VM.
class MemoryContext : public RefCounted<MemoryContext> {
 public:
  static Result<RefPtr<MemoryContext>> Create(RefPtr<VmAddressRegion> region);
  // fork: the same program, in a region that Adopt() will bring.
  Result<RefPtr<MemoryContext>> CloneForFork();
  void Adopt(RefPtr<VmAddressRegion> region) { region_ = std::move(region); }
  ~MemoryContext();

  VmAddressRegion& region() { return *region_; }
  const RefPtr<VmAddressRegion>& region_ref() { return region_; }

  // The program (/proc/PID/exe): kept open, and closed to writers (ETXTBSY).
  RefPtr<vfs::FileDescription> executable() const EXCLUDES(lock_);
  void SetExecutable(RefPtr<vfs::FileDescription> file) EXCLUDES(lock_);

  // What execve was given, for those who ask about another process (/proc/PID/cmdline): strings one
  // after another, each with its NUL. Shared by forks; null before the first program.
  struct ProgramText : RefCounted<ProgramText> {
    String arguments, environment;
  };
  RefPtr<const ProgramText> program_text() const EXCLUDES(lock_);
  void SetProgramText(RefPtr<const ProgramText> text) EXCLUDES(lock_);

  // The auxiliary vector, pairs, for /proc/PID/auxv. Set before the first instruction runs.
  static constexpr size_t kMaxAuxv = 48;
  std::array<uint64_t, kMaxAuxv> auxv{};
  size_t auxv_size = 0;  // in words

  // PR_SET_DUMPABLE.
  std::atomic<int> dumpable{1};
  // Threads and processes that use it. execve makes a new address space when it is not the only
  // one.
  std::atomic<int> users{0};
  // brk's top; guarded by brk_lock.
  Mutex brk_lock{LockRank::kFsContext};
  // mlockall(MCL_FUTURE), and whether with MCL_ONFAULT.
  std::atomic<bool> lock_future{false}, lock_on_fault{false};
  // membarrier(2) registrations.
  std::atomic<uint32_t> membarrier{0};

 private:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> zrun::MakeRef(Args&&...);
  explicit MemoryContext(RefPtr<VmAddressRegion> region);
  RefPtr<VmAddressRegion> region_;
  mutable Mutex lock_{LockRank::kLeaf};
  RefPtr<vfs::FileDescription> executable_ GUARDED_BY(lock_);
  RefPtr<const ProgramText> program_text_ GUARDED_BY(lock_);
};

}  // namespace zrun::compat
