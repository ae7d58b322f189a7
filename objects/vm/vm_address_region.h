#pragma once
#include <optional>

#include "base/tree.h"
#include "hal/address_space.h"
#include "objects/vm/vm_object.h"

namespace zrun {

class Thread;
class VmMapping;

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
  kVdso = 1 << 9,        // the machine's: shown as [vdso], can only be unmapped
  kNoReserve = 1 << 10,  // MAP_NORESERVE
  kSealed = 1 << 11,     // mseal: stays as it is as long as the address space
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
  // mseal(2): ENOMEM if there is a hole; then nothing is sealed.
  Result<void> Seal(hal::VirtRange range) EXCLUDES(lock_);
  // mlock, MAP_POPULATE: touches what is mapped. ENOMEM if something cannot be.
  Result<void> MakeResident(hal::VirtRange range) EXCLUDES(lock_);
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
    uint64_t peak_bytes;  // the highest total_bytes
    size_t mappings;
  };
  Totals totals() const EXCLUDES(lock_);
  // False if the guest has unmapped some of it: only a new address space has it again.
  bool has_vdso() const EXCLUDES(lock_);
  // What private pages of it the kernel keeps: what its end would give back at least.
  uint64_t private_bytes() const EXCLUDES(lock_);
  // RLIMIT_AS and RLIMIT_DATA, checked by Map and Remap (ENOMEM).
  void SetLimits(uint64_t address_space, uint64_t data) EXCLUDES(lock_);
  // RLIMIT_STACK: how far a kGrowsDown mapping grows by itself when it is touched below its start.
  void SetStackLimit(uint64_t bytes) EXCLUDES(lock_);
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

  // For VmObject: takes a part of |object| out of the translations, in all its mappings here; what
  // private mappings have copied only if |even_private|.
  void UnmapObject(VmObject& object, uint64_t offset, uint64_t size, bool even_private)
      EXCLUDES(lock_);

 private:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> MakeRef(Args&&...);
  struct MappingTraits {
    static hal::vaddr_t KeyOf(const VmMapping& mapping);
    static void Update(VmMapping& mapping);
  };
  using MappingTree = Tree<VmMapping, MappingTraits>;
  // What was taken out of the tree, with its references to objects and files: those are dropped
  // after the lock, because what dies with them may take any lock.
  class Dead;

  explicit VmAddressRegion(RefPtr<hal::AddressSpace> space);
  Result<void> AddFixtures() EXCLUDES(lock_);

  // ---- The tree (vm_address_region.cc)
  VmMapping* Containing(hal::vaddr_t address) const REQUIRES(lock_);
  // The first that ends after |address|.
  VmMapping* FirstAfter(hal::vaddr_t address) const REQUIRES(lock_);
  bool IsSealed(hal::VirtRange range) REQUIRES(lock_);  // some of it
  Result<void> SplitAt(hal::vaddr_t address) REQUIRES(lock_);
  // Makes |range| begin and end between mappings.
  Result<void> SplitAround(hal::VirtRange range) REQUIRES(lock_);
  Result<void> Insert(OwnPtr<VmMapping>& mapping) REQUIRES(lock_);
  void Erase(VmMapping& mapping, Dead& dead) REQUIRES(lock_);
  // Joins neighbours that have become equal in and around |range|.
  void Join(hal::VirtRange range, Dead& dead) REQUIRES(lock_);
  void Resize(VmMapping& mapping, uint64_t size) REQUIRES(lock_);
  void Count(const VmMapping& mapping, bool add) REQUIRES(lock_);
  // Changes what Count() looks at.
  template <typename Change>
  void Modify(VmMapping& mapping, Change change) REQUIRES(lock_);
  std::optional<hal::vaddr_t> FindRoom(uint64_t size, hal::vaddr_t low, hal::vaddr_t high) const
      REQUIRES(lock_);
  bool IsFree(hal::VirtRange range) const REQUIRES(lock_);
  bool HasVdso(hal::VirtRange part) const REQUIRES(lock_);

  // ---- The operations
  Result<hal::vaddr_t> Place(const Mapping& mapping) REQUIRES(lock_);
  Result<void> CheckLimits(const Mapping& mapping, uint64_t size, uint64_t replaced)
      REQUIRES(lock_);
  Result<hal::vaddr_t> MapLocked(Mapping& mapping, Dead& dead) REQUIRES(lock_);
  Result<void> UnmapLocked(hal::VirtRange range, Dead& dead) REQUIRES(lock_);
  Result<hal::vaddr_t> MoveLocked(VmMapping& mapping, hal::VirtRange target, bool keep_old,
                                  Dead& dead) REQUIRES(lock_);
  Result<void> GrowLocked(VmMapping& mapping, uint64_t size) REQUIRES(lock_);
  Result<hal::vaddr_t> PlaceMoved(const VmMapping& mapping, uint64_t size, uint32_t flags,
                                  hal::vaddr_t new_address, Dead& dead) REQUIRES(lock_);
  Result<void> CheckDiscard(hal::VirtRange range) REQUIRES(lock_);
  Result<void> AdviseOne(VmMapping& mapping, hal::VirtRange part, int advice) REQUIRES(lock_);
  Result<void> ChangeFlags(hal::VirtRange range, MapFlags clear, MapFlags set, bool private_only,
                           Dead& dead) REQUIRES(lock_);
  Result<void> Populate(hal::VirtRange range, hal::Access access) EXCLUDES(lock_);
  Result<void> RemovePages(hal::VirtRange range) EXCLUDES(lock_);
  Result<void> FaultLocked(hal::vaddr_t address, hal::Access access, RefPtr<VmObject>& to_fill,
                           uint64_t& fill_offset, Dead& dead) REQUIRES(lock_);
  VmMapping* GrowStack(hal::vaddr_t address) REQUIRES(lock_);
  Result<void> CopyMappings(VmAddressRegion& child) REQUIRES(lock_) EXCLUDES(child.lock_);

  mutable Mutex lock_{LockRank::kVmAddressRegion};
  RefPtr<hal::AddressSpace> space_;  // set once, before anybody else knows the region
  MappingTree mappings_ GUARDED_BY(lock_);
  Totals totals_ GUARDED_BY(lock_) = {};
  uint64_t address_space_limit_ GUARDED_BY(lock_) = UINT64_MAX;
  uint64_t data_limit_ GUARDED_BY(lock_) = UINT64_MAX;
  uint64_t stack_limit_ GUARDED_BY(lock_) = 8 << 20;
  hal::vaddr_t mmap_base_ GUARDED_BY(lock_);
  Landmarks landmarks_ GUARDED_BY(lock_);
};

}  // namespace zrun
