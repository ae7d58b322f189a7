#pragma once
#include <array>
#include <span>

#include "base/range_set.h"
#include "base/ref_ptr.h"
#include "hal/memory.h"
#include "objects/kernel_object.h"
#include "objects/vm/page_runs.h"

namespace zrun {

class VmAddressRegion;
class VmMapping;
struct MappingListTag;
struct PageCacheTag;

// Fills the pages of a VmObject on first touch: how file systems feed the page cache. Called with
// no VM lock held. The frames of a call are whole pages, in order from |offset| on.
class PageSource {
 public:
  virtual ~PageSource() = default;
  virtual Result<void> ReadPages(uint64_t offset, std::span<const hal::PhysRange> frames) = 0;
  virtual Result<void> WritePages(uint64_t offset, std::span<const hal::PhysRange> frames) = 0;
  // Where more than a page at a time is cheap: pages around the one that is asked for are read with
  // it, so many bytes from a multiple of that on. A power of two, at most kMaxCluster.
  virtual uint64_t cluster_size() const { return hal::kPageSize; }
  static constexpr uint64_t kMaxCluster = 32 * hal::kPageSize;
};

// A sparse array of pages: anonymous memory, a file's page cache, shared memory, or a piece of
// physical memory (a ROM, a host file's bank). Pages are reserved in runs (hal::PreferredRun), so
// that on the trap machine a whole object usually maps in one piece.
class VmObject final : public KernelObject, public ListNode<PageCacheTag> {
 public:
  static constexpr ObjectType kType = ObjectType::kVmObject;
  static Result<RefPtr<VmObject>> CreateAnonymous(uint64_t size);
  static Result<RefPtr<VmObject>> CreatePaged(uint64_t size, OwnPtr<PageSource> source);
  // |size| may be smaller than the range (a file's length in a bank). Never grows beyond the range.
  static Result<RefPtr<VmObject>> CreatePhysical(hal::PhysRange range, uint64_t size);
  ~VmObject() override;
  // A copy-on-write child of [offset, offset + size), which start and end at pages or at the
  // object's end. Both sides see the bytes as they are now.
  Result<RefPtr<VmObject>> Snapshot(uint64_t offset, uint64_t size) EXCLUDES(lock_);

  uint64_t size() const { return size_.load(std::memory_order_acquire); }
  bool is_physical() const { return physical_; }
  bool has_source() const { return bool(source_); }
  // Shrinking frees pages, zeroes the rest of the last one, and takes the pages away from every
  // mapping.
  Result<void> Resize(uint64_t size) EXCLUDES(lock_);
  // Bytes within size(); holes read as zeros without being committed. A short count at the end of
  // the object.
  Result<size_t> Read(uint64_t offset, std::span<std::byte> out) EXCLUDES(lock_);
  Result<size_t> Write(uint64_t offset, std::span<const std::byte> in) EXCLUDES(lock_);
  // Calls |visit| with successive pieces of the kernel's window onto [offset, offset + size),
  // committing pages when |access| has kWrite; holes are given as zero pages when it has not. Stops
  // when |visit| consumes less than it was given. Returns the bytes consumed. The copies to and
  // from guest memory run in |visit|: no VM lock is held then, the pages are pinned instead.
  class PieceVisitor {
   public:
    virtual Result<size_t> Visit(std::span<std::byte> piece) = 0;

   protected:
    ~PieceVisitor() = default;
  };
  Result<size_t> ForEachPiece(uint64_t offset, uint64_t size, hal::Access access,
                              PieceVisitor& visitor) EXCLUDES(lock_);
  // Gives a page that is a hole, of an object without a source, these contents.
  Result<void> FillHole(uint64_t offset, std::span<const std::byte> page) EXCLUDES(lock_);
  // Frees whole pages of the range and zeroes the rest of it (FALLOC_FL_PUNCH_HOLE). Pages of a
  // source are read anew when they are touched again. EOPNOTSUPP on physical memory.
  Result<void> Decommit(uint64_t offset, uint64_t size) EXCLUDES(lock_);
  // Makes sure pages exist (fallocate); they read as zeros.
  Result<void> Commit(uint64_t offset, uint64_t size) EXCLUDES(lock_);
  // Writes dirty pages back to the source.
  Result<void> Sync(uint64_t offset, uint64_t size) EXCLUDES(lock_);
  // The first offset >= |offset| that is data (or hole): SEEK_DATA, SEEK_HOLE. ENXIO past the end.
  Result<uint64_t> SeekData(uint64_t offset, bool data) EXCLUDES(lock_);
  uint64_t committed_bytes() const EXCLUDES(lock_);
  // Gives pages back that are as the source has them, at most |bytes| of them and from where the
  // last call ended on; those of a mapped object only if |even_mapped|. How many bytes that were.
  // The caller holds no lock.
  uint64_t Evict(uint64_t bytes, bool even_mapped) EXCLUDES(lock_);
  uint64_t clean_bytes() const EXCLUDES(lock_);  // what Evict() can give back
  // Pages of [begin, end) that are in memory, and of these the ones to be written back
  // (cachestat(2)).
  struct CachedPages {
    uint64_t present, dirty;
  };
  CachedPages CountCached(uint64_t begin, uint64_t end) const EXCLUDES(lock_);
  // Whether somebody can write to it through a shared mapping, now or after mprotect
  // (F_SEAL_WRITE).
  bool HasWritableMapping() EXCLUDES(lock_);
  // Whether more than one mapping shows a part of the range.
  bool IsMappedTwice(uint64_t offset, uint64_t size) EXCLUDES(lock_);

  // Reads the pages of the range that are not there yet from the source. EIO or whatever it said.
  Result<void> FillPages(uint64_t offset, uint64_t size) EXCLUDES(lock_);
  // For mappings: frames behind [offset, offset + size), committed as |access| needs, in order.
  // Fills |out| and returns how many entries it used; they cover a prefix of the range, at least a
  // page. |granted| is the access they may be mapped with (a page shared copy-on-write is not
  // writable). ENXIO beyond the object's end (SIGBUS), EAGAIN if FillPages() has to run first.
  struct Frames {
    size_t count;
    uint64_t bytes;
    hal::Access granted;
  };
  Result<Frames> GetFrames(uint64_t offset, uint64_t size, hal::Access access,
                           std::span<hal::PhysRange> out) EXCLUDES(lock_);
  // Mappings register so that Resize and Decommit reach them, before they ask for frames. Called by
  // VmAddressRegion with its lock held.
  Result<void> AddMapping(VmMapping& mapping) EXCLUDES(lock_);
  void RemoveMapping(VmMapping& mapping) EXCLUDES(lock_);

 private:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> MakeRef(Args&&...);
  // Pages that a thread is reading from the source.
  struct Fill : ListNode<Fill> {
    uint64_t begin = 0, end = 0;
    bool cancelled = false;
  };
  // Somebody's way through the list of mappings, which may change meanwhile.
  struct MappingWalk : ListNode<MappingWalk> {
    VmMapping* next = nullptr;
  };
  using PageFrames = std::array<hal::PhysRange, PageSource::kMaxCluster / hal::kPageSize>;
  VmObject(uint64_t size, OwnPtr<PageSource> source);
  VmObject(hal::PhysRange range, uint64_t size);

  Result<void> Reserve(uint64_t begin, uint64_t end) REQUIRES(lock_);
  Result<void> ReserveRun(uint64_t offset, uint64_t end) REQUIRES(lock_);
  Result<void> CommitLocked(uint64_t begin, uint64_t end) REQUIRES(lock_);
  Result<void> PrepareWrite(uint64_t begin, uint64_t end) REQUIRES(lock_);
  Result<void> BreakSharing(uint64_t begin, uint64_t end) REQUIRES(lock_);
  Result<void> ZeroLocked(uint64_t begin, uint64_t end) REQUIRES(lock_);
  Result<void> CutLocked(uint64_t begin, uint64_t end, PageRunList& out) REQUIRES(lock_);
  Result<void> DiscardInPlace(uint64_t begin, uint64_t end) REQUIRES(lock_);
  void CancelFills(uint64_t begin, uint64_t end) REQUIRES(lock_);
  Result<void> FillPage(uint64_t offset) EXCLUDES(lock_);
  bool IsFilling(uint64_t offset) REQUIRES(lock_);
  void ChooseCluster(uint64_t offset, Fill& fill) REQUIRES(lock_);
  std::span<const hal::PhysRange> FramesOf(uint64_t begin, uint64_t end, PageFrames& frames)
      REQUIRES(lock_);
  // For ForEachPiece(). A piece of what begins at |begin|, pinned; empty at the object's end;
  // EAGAIN if a page that was filled has gone again. |more|: whether others can follow.
  Result<std::span<std::byte>> TakePiece(uint64_t begin, uint64_t size, bool writes)
      EXCLUDES(lock_);
  Result<size_t> VisitPiece(uint64_t begin, uint64_t size, bool writes, PieceVisitor& visitor,
                            bool& more) EXCLUDES(lock_);
  std::span<std::byte> PinPiece(uint64_t begin, uint64_t end) REQUIRES(lock_);
  void Unpin() EXCLUDES(lock_);
  // Frees what was cut, now or when nothing is pinned any more.
  void FreeCut(PageRunList& runs) EXCLUDES(lock_);
  void FreeRuns(PageRunList& runs, bool shared);
  Result<void> ShareWith(VmObject& child, uint64_t offset) EXCLUDES(lock_);
  Result<void> CopyTo(VmObject& child, uint64_t offset) EXCLUDES(lock_);
  bool HasMappings() const EXCLUDES(lock_);
  bool HasSharedMapping() REQUIRES(lock_);
  void UnmapEverywhere(uint64_t offset, uint64_t size, bool even_private) EXCLUDES(lock_);
  // The region to visit next; null at the list's end, which ends the walk.
  RefPtr<VmAddressRegion> NextRegion(MappingWalk& walk, const VmAddressRegion* visited)
      EXCLUDES(lock_);

  const bool physical_;
  const hal::PhysRange range_;  // physical
  const OwnPtr<PageSource> source_;
  std::atomic<uint64_t> size_;
  mutable Mutex lock_{LockRank::kVmObject};
  PageRuns runs_ GUARDED_BY(lock_);
  RangeSet present_
      GUARDED_BY(lock_);  // pages that hold data; where RAM is sparse, less than the runs
  RangeSet dirty_ GUARDED_BY(lock_);  // with a source: to be written back
  bool shares_frames_ GUARDED_BY(lock_) = false;
  bool ever_mapped_ GUARDED_BY(lock_) = false;
  uint64_t evict_from_ GUARDED_BY(lock_) = 0;
  uint32_t pins_ GUARDED_BY(lock_) = 0;
  PageRunList released_ GUARDED_BY(lock_);  // cut while pinned
  IntrusiveList<Fill, Fill> fills_ GUARDED_BY(lock_);
  std::atomic<uint32_t> fills_done_{0};
  IntrusiveList<VmMapping, MappingListTag> mappings_ GUARDED_BY(lock_);
  IntrusiveList<MappingWalk, MappingWalk> walks_ GUARDED_BY(lock_);
};

}  // namespace zrun
