#pragma once
#include <optional>

#include "hal/address_space.h"
#include "objects/vm/vm_object.h"

namespace zrun {

class Thread;

enum class MapFlags : uint32_t {
  kNone = 0,
  kPrivate =
      1 << 0,  // writes go to a private copy (MAP_PRIVATE); with no object: anonymous zero pages
  kFixed = 1 << 1,    // at exactly the given address; EEXIST if something is there, unless kReplace
  kReplace = 1 << 2,  // with kFixed: over what is there (MAP_FIXED)
  kGrowsDown = 1 << 3,   // a stack: shown as [stack]
  kLow = 1 << 4,         // below 2 GiB (MAP_32BIT)
  kHeap = 1 << 5,        // brk's: shown as [heap]
  kWipeOnFork = 1 << 6,  // MADV_WIPEONFORK
  kDontFork = 1 << 7,    // MADV_DONTFORK
  kLocked = 1 << 8,      // mlock: counted, all memory is resident as far as the kernel can tell
  kVdso = 1 << 9,        // the machine's: shown as [vdso], cannot be changed
  kNoReserve = 1 << 10,  // MAP_NORESERVE
};

}  // namespace zrun
template <>
inline constexpr bool zrun::kIsFlags<zrun::MapFlags> = true;

namespace zrun {

// One entry of /proc/PID/maps.
struct Mapping {
  hal::VirtRange range;
  RefPtr<VmObject> object;  // null: private anonymous
  uint64_t object_offset = 0;
  hal::Access access = hal::Access::kNone;
  hal::Access max_access =
      hal::Access::kRead | hal::Access::kWrite | hal::Access::kExecute;  // what mprotect may grant
  MapFlags flags = MapFlags::kNone;
  RefPtr<KernelObject> file;  // the open file behind it, kept open; null if none
};

// A guest's address space (Linux's mm): a set of mappings, which is the truth, over a
// hal::AddressSpace, its cache. Private memory is behind a seam, objects/vm/private_pages.h, with a
// body for machines whose host keeps it and one that does the work itself.
class VmAddressRegion final : public KernelObject {
 public:
  static constexpr ObjectType kType = ObjectType::kVmAddressRegion;
  static Result<RefPtr<VmAddressRegion>> Create(RefPtr<hal::AddressSpace> space);
  ~VmAddressRegion() override;

  // fork(): a copy of the caller's region (shared mappings shared, private ones copied on write)
  // with |child| started in it. |prepare| is called with the new region before the child can run;
  // the process of |child| uses it to adopt the region.
  class ForkClient {
   public:
    virtual void Adopt(RefPtr<VmAddressRegion> region) = 0;

   protected:
    ~ForkClient() = default;
  };
  Result<void> Fork(Thread& child, ForkClient& client) EXCLUDES(lock_);

  // Returns where. |mapping.range.base| is a hint unless kFixed. Top-down from just below the stack
  // (mmap_base), as on Linux. EEXIST, ENOMEM, EINVAL.
  Result<hal::vaddr_t> Map(Mapping mapping) EXCLUDES(lock_);
  Result<void> Unmap(hal::VirtRange range) EXCLUDES(lock_);
  // ENOMEM if there is a hole in the range (what comes before it is changed, as on Linux), EACCES.
  Result<void> Protect(hal::VirtRange range, hal::Access access) EXCLUDES(lock_);
  // mremap: |flags| are Linux's MREMAP_*. Returns the new address.
  Result<hal::vaddr_t> Remap(hal::VirtRange old_range, uint64_t new_size, uint32_t flags,
                             hal::vaddr_t new_address) EXCLUDES(lock_);
  // madvise: |advice| is Linux's MADV_*.
  Result<void> Advise(hal::VirtRange range, int advice) EXCLUDES(lock_);
  Result<void> Sync(hal::VirtRange range, bool invalidate) EXCLUDES(lock_);
  // mincore: a byte per page, bit 0 = resident. ENOMEM if there is a hole.
  Result<void> Residency(hal::VirtRange range, std::span<uint8_t> out) EXCLUDES(lock_);
  Result<void> SetLocked(hal::VirtRange range, bool locked) EXCLUDES(lock_);
  // execve in place.
  Result<void> Clear() EXCLUDES(lock_);

  // A fault the machine could not resolve, in guest code or in a copy. EFAULT if there is no
  // mapping (SIGSEGV, MAPERR), EACCES if it forbids the access (SIGSEGV, ACCERR), ENXIO beyond a
  // file's end (SIGBUS, ADRERR), ENOMEM, EIO.
  Result<void> HandleFault(hal::vaddr_t address, hal::Access access) EXCLUDES(lock_);
  std::optional<Mapping> Find(hal::vaddr_t address) EXCLUDES(lock_);
  // The first mapping that ends after |address|: iteration for /proc/PID/maps without holding the
  // lock.
  std::optional<Mapping> FindFrom(hal::vaddr_t address) EXCLUDES(lock_);

  struct Totals {
    uint64_t total_bytes, shared_bytes, data_bytes, stack_bytes, code_bytes, locked_bytes;
    size_t mappings;
  };
  Totals totals() const EXCLUDES(lock_);
  // RLIMIT_AS and RLIMIT_DATA, checked by Map and Remap (ENOMEM).
  void SetLimits(uint64_t address_space, uint64_t data) EXCLUDES(lock_);
  // Where the top-down search starts; set by execve after it has placed the stack.
  void SetMmapBase(hal::vaddr_t base) EXCLUDES(lock_);

  // Addresses the personality remembers per address space; plain data, guarded by its own use.
  struct Landmarks {
    hal::vaddr_t start_code = 0, end_code = 0, start_data = 0, end_data = 0;
    hal::vaddr_t start_brk = 0, brk = 0, start_stack = 0;
    hal::vaddr_t arg_start = 0, arg_end = 0, env_start = 0, env_end = 0;
  };
  Landmarks landmarks() const EXCLUDES(lock_);
  void SetLandmarks(const Landmarks& landmarks) EXCLUDES(lock_);

  hal::AddressSpace& space() { return *space_; }

 private:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> MakeRef(Args&&...);
  explicit VmAddressRegion(RefPtr<hal::AddressSpace> space);
  mutable Mutex lock_{LockRank::kVmAddressRegion};
  const RefPtr<hal::AddressSpace> space_;
};

}  // namespace zrun
