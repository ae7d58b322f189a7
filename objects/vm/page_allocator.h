#pragma once
#include <array>
#include <atomic>

#include "base/result.h"
#include "base/tree.h"
#include "hal/memory.h"
#include "objects/sync/mutex.h"

namespace zrun {

enum class Contents : uint8_t { kAny, kZero };

// Gives out runs of frames. What is free is a tree of extents by address, so that a terabyte of
// sparse RAM costs one node until it is used; first fit from the bottom keeps what is in use
// together. Small runs that come back are kept for reuse as they are (and zeroed then): on the trap
// machine giving memory to the host and touching it anew costs far more.
class PageAllocator {
 public:
  struct Statistics {
    uint64_t total_bytes;
    uint64_t free_bytes;    // including what is cached
    uint64_t cached_bytes;  // free, but not given back to the machine
    uint64_t extents;
  };

  // |reserved|: parts of |frames| that are never given out, in order of address.
  explicit PageAllocator(hal::PhysRange frames, std::span<const hal::PhysRange> reserved = {});
  ~PageAllocator();

  // |bytes| is rounded up to pages; |alignment| is a power of two. ENOMEM.
  Result<hal::PhysRange> AllocateRun(uint64_t bytes, uint64_t alignment = hal::kPageSize,
                                     Contents contents = Contents::kZero) EXCLUDES(lock_);
  // Any pages that are allocated, in any pieces.
  void Free(hal::PhysRange run) EXCLUDES(lock_);
  // The same for pages that nobody has written to since they were allocated as kZero.
  void FreeUntouched(hal::PhysRange run) EXCLUDES(lock_);
  // Gives what is cached back to the machine.
  void Trim() EXCLUDES(lock_);
  Statistics statistics() const EXCLUDES(lock_);
  // Whether so little is free that page caches should shrink (kLow), or that even small requests
  // may soon fail (kCritical). Does not count what is cached; takes no lock.
  enum class Level : uint8_t { kEnough, kLow, kCritical };
  Level level() const {
    const uint64_t free = free_bytes_.load(std::memory_order_relaxed);
    return free >= low_bytes_       ? Level::kEnough
           : free >= low_bytes_ / 4 ? Level::kLow
                                    : Level::kCritical;
  }
  uint64_t low_bytes() const { return low_bytes_; }

 private:
  struct Extent : TreeNode<> {
    hal::paddr_t base = 0;
    uint64_t size = 0;
    uint64_t largest = 0;  // size, in its subtree
    hal::paddr_t end() const { return base + size; }
  };
  struct Traits;
  using ExtentTree = Tree<Extent, Traits>;
  struct Traits {
    static hal::paddr_t KeyOf(const Extent& extent) { return extent.base; }
    static void Update(Extent& extent);
  };
  // Runs of 1 << order pages that were freed.
  struct Bin {
    static constexpr size_t kMax = 128;
    size_t count = 0;
    std::array<hal::paddr_t, kMax> runs;
  };
  static constexpr int kOrders = 5;
  static constexpr size_t BinLimit(int order) {
    return order == 0 ? Bin::kMax : size_t{32} >> (order / 2);
  }
  static int OrderOf(uint64_t bytes);

  Extent* FirstFit(Extent* extent, uint64_t bytes, uint64_t alignment) REQUIRES(lock_);
  void Carve(Extent& extent, hal::PhysRange run) REQUIRES(lock_);
  void Insert(hal::PhysRange run) REQUIRES(lock_);
  // The tree's nodes lie in frames of their own: the heap is built on this.
  bool ReserveNodes() REQUIRES(lock_);
  void AddNodes(hal::paddr_t frame) REQUIRES(lock_);
  Extent* TakeNode() REQUIRES(lock_);
  void Flush(int order, size_t keep) EXCLUDES(lock_);

  mutable Mutex lock_{LockRank::kPageAllocator};
  const uint64_t total_bytes_;
  const uint64_t low_bytes_;
  std::atomic<uint64_t> free_bytes_{0};  // in the tree; changes under |lock_|
  uint64_t extents_ GUARDED_BY(lock_) = 0;
  ExtentTree free_ GUARDED_BY(lock_);
  Extent* spare_nodes_ GUARDED_BY(lock_) = nullptr;  // linked through |base|
  size_t spare_count_ GUARDED_BY(lock_) = 0;
  std::array<Bin, kOrders> bins_ GUARDED_BY(lock_);
};

// The machine's RAM. First of all, before there is a second thread.
void InitPageAllocator();
PageAllocator& RamFrames();

}  // namespace zrun
