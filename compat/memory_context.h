#pragma once
#include <array>
#include <atomic>

#include "base/intrusive_list.h"
#include "base/ref_ptr.h"
#include "hal/thread.h"
#include "objects/vm/vm_address_region.h"
#include "vfs/file_description.h"

namespace zrun::compat {

// What another process wants of an address space, and only threads that run in it can do: reading
// and writing its memory. Lives on the stack of the thread that waits for it.
class MemoryErrand : public ListNode<MemoryErrand> {
 public:
  virtual void Run(VmAddressRegion& region) = 0;

 protected:
  ~MemoryErrand() = default;

 private:
  friend class MemoryContext;
  enum class State : uint8_t { kWaiting, kRunning, kDone, kRefused };
  hal::Thread& waiter_ = hal::CurrentThread();
  State state_ = State::kWaiting;  // guarded by the context's lock
};

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

  // ---- Errands. Somebody must tell a thread of the address space (Task::kAttendMemory).
  // ESRCH if nobody uses it any more.
  Result<void> AddErrand(MemoryErrand& errand) EXCLUDES(lock_);
  // True when it is over: done, or given up with |refused|.
  bool IsOver(MemoryErrand& errand, bool& refused) EXCLUDES(lock_);
  // Gives up one that nobody has begun.
  void WithdrawErrand(MemoryErrand& errand) EXCLUDES(lock_);
  // By a thread of the address space, with no lock held.
  void RunErrands() EXCLUDES(lock_);
  // A thread or process lets go of it.
  void RemoveUser() EXCLUDES(lock_);

  // PR_SET_DUMPABLE.
  std::atomic<int> dumpable{1};
  // Threads and processes that use it. execve makes a new address space when it is not the only
  // one.
  std::atomic<int> users{0};
  // brk's top; guarded by brk_lock.
  Mutex brk_lock{LockRank::kFsContext};
  // mlockall(MCL_FUTURE), and whether with MCL_ONFAULT.
  std::atomic<bool> lock_future{false}, lock_on_fault{false};
  // membarrier(2): registered.
  std::atomic<bool> membarrier{false};

 private:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> zrun::MakeRef(Args&&...);
  explicit MemoryContext(RefPtr<VmAddressRegion> region);
  RefPtr<VmAddressRegion> region_;
  mutable Mutex lock_{LockRank::kLeaf};
  RefPtr<vfs::FileDescription> executable_ GUARDED_BY(lock_);
  RefPtr<const ProgramText> program_text_ GUARDED_BY(lock_);
  IntrusiveList<MemoryErrand, MemoryErrand> errands_ GUARDED_BY(lock_);
};

}  // namespace zrun::compat
