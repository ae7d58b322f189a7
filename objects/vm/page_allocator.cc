#include "objects/vm/page_allocator.h"

#include <algorithm>
#include <bit>
#include <new>
#include <utility>

#include "objects/vm/page_reclaim.h"

namespace zrun {

using hal::kPageSize;
using hal::PhysRange;

namespace {
// The one of RAM: never destroyed, so it must not have a destructor registered.
alignas(PageAllocator) constinit std::byte g_frames[sizeof(PageAllocator)] = {};
constinit bool g_ready = false;
}  // namespace

void InitPageAllocator() {
  if (std::exchange(g_ready, true)) return;
  new (g_frames) PageAllocator(hal::Ram(), hal::ReservedRam());
  InitPageReclaim();
  hal::UseFrames({
      []() -> Result<hal::paddr_t> { return TRY(RamFrames().AllocateRun(kPageSize)).base; },
      [](hal::paddr_t frame) {
        RamFrames().Free({frame, kPageSize});
      },
      [] {
        const auto statistics = RamFrames().statistics();
        return statistics.total_bytes - statistics.free_bytes;
      },
  });
}
PageAllocator& RamFrames() { return *std::launder(reinterpret_cast<PageAllocator*>(g_frames)); }

void PageAllocator::Traits::Update(Extent& extent) {
  extent.largest = extent.size;
  if (const Extent* left = ExtentTree::Left(extent))
    extent.largest = std::max(extent.largest, left->largest);
  if (const Extent* right = ExtentTree::Right(extent))
    extent.largest = std::max(extent.largest, right->largest);
}

PageAllocator::PageAllocator(PhysRange frames, std::span<const PhysRange> reserved)
    : total_bytes_(frames.size),
      low_bytes_(std::clamp(frames.size / 32, uint64_t{3} << 19, uint64_t{16} << 20)) {
  MutexLock lock(lock_);
  hal::paddr_t begin = frames.base;
  const auto add = [&](hal::paddr_t end) NO_THREAD_SAFETY_ANALYSIS {
    if (begin < end && !spare_nodes_) {
      AddNodes(begin);
      begin += kPageSize;
    }
    if (begin < end) Insert({begin, end - begin});
  };
  for (const PhysRange& taken : reserved) {
    add(taken.base);
    begin = taken.end();
  }
  add(frames.end());
}

PageAllocator::~PageAllocator() {
  MutexLock lock(lock_);
  while (Extent* extent = free_.root()) free_.Remove(*extent);
}

int PageAllocator::OrderOf(uint64_t bytes) {
  const uint64_t pages = bytes / kPageSize;
  if (pages & (pages - 1)) return -1;
  const int order = pages == 0 ? kOrders : std::countr_zero(pages);
  return order < kOrders ? order : -1;
}

Result<PhysRange> PageAllocator::AllocateRun(uint64_t bytes, uint64_t alignment,
                                             Contents contents) {
  bytes = hal::RoundUp(bytes);
  if (bytes == 0) return Errno::kENOMEM;
  alignment = std::max<uint64_t>(alignment, kPageSize);
  PhysRange run{0, bytes};
  bool known_zero = hal::FreshFramesAreZero();
  {
    MutexLock lock(lock_);
    const int order = OrderOf(bytes);
    Bin* bin = order >= 0 ? &bins_[order] : nullptr;
    if (bin && bin->count > 0 && bin->runs[bin->count - 1] % alignment == 0) {
      run.base = bin->runs[--bin->count];
      known_zero = false;
    } else {
      if (!ReserveNodes()) return Errno::kENOMEM;
      Extent* extent = FirstFit(free_.root(), bytes, alignment);
      if (!extent) return Errno::kENOMEM;
      run.base = (extent->base + alignment - 1) & ~(alignment - 1);
      Carve(*extent, run);
    }
  }
  if (contents == Contents::kZero && !known_zero)
    __builtin_memset(hal::PhysToVirt(run.base), 0, run.size);
  return run;
}

PageAllocator::Extent* PageAllocator::FirstFit(Extent* extent, uint64_t bytes, uint64_t alignment) {
  if (!extent || extent->largest < bytes) return nullptr;
  if (Extent* found = FirstFit(ExtentTree::Left(*extent), bytes, alignment)) return found;
  const hal::paddr_t start = (extent->base + alignment - 1) & ~(alignment - 1);
  if (start < extent->end() && extent->end() - start >= bytes) return extent;
  return FirstFit(ExtentTree::Right(*extent), bytes, alignment);
}

void PageAllocator::Carve(Extent& extent, PhysRange run) {
  free_bytes_ -= run.size;
  const PhysRange rest{run.end(), extent.end() - run.end()};
  if (run.base > extent.base) {
    extent.size = run.base - extent.base;
    free_.Refresh(extent);
    if (rest.size > 0) {
      free_bytes_ -= rest.size;  // Insert() counts it again
      Insert(rest);
    }
  } else if (rest.size > 0) {
    extent.base = rest.base;  // keeps its place in the order
    extent.size = rest.size;
    free_.Refresh(extent);
  } else {
    free_.Remove(extent);
    extents_--;
    extent.base = reinterpret_cast<uintptr_t>(std::exchange(spare_nodes_, &extent));
    spare_count_++;
  }
}

void PageAllocator::Insert(PhysRange run) {
  free_bytes_ += run.size;
  Extent* before = free_.AtOrBefore(run.base);
  Extent* after = before ? free_.Next(*before) : free_.First();
  DCHECK(!before || before->end() <= run.base);
  DCHECK(!after || run.end() <= after->base);
  const bool joins_after = after && after->base == run.end();
  if (before && before->end() == run.base) {
    before->size += run.size;
    if (joins_after) {
      before->size += after->size;
      free_.Remove(*after);
      extents_--;
      after->base = reinterpret_cast<uintptr_t>(std::exchange(spare_nodes_, after));
      spare_count_++;
    }
    free_.Refresh(*before);
  } else if (joins_after) {
    after->base = run.base;
    after->size += run.size;
    free_.Refresh(*after);
  } else {
    if (!spare_nodes_) {  // all RAM was in use: the first page of this becomes nodes
      AddNodes(run.base);
      free_bytes_ -= kPageSize;
      run = {run.base + kPageSize, run.size - kPageSize};
      if (run.size == 0) return;
    }
    Extent* extent = TakeNode();
    extent->base = run.base;
    extent->size = run.size;
    free_.Insert(*extent);
    extents_++;
  }
}

bool PageAllocator::ReserveNodes() {
  if (spare_count_ >= 2) return true;
  Extent* extent = free_.First();
  if (!extent) return spare_count_ > 0;
  const hal::paddr_t frame = extent->base;
  Carve(*extent, {frame, kPageSize});  // from its start: takes no node
  AddNodes(frame);
  return true;
}

void PageAllocator::AddNodes(hal::paddr_t frame) {
  auto* nodes = reinterpret_cast<Extent*>(hal::PhysToVirt(frame));
  const size_t count = kPageSize / sizeof(Extent);
  for (size_t i = count; i-- > 0;) {
    Extent* node = new (&nodes[i]) Extent;
    node->base = reinterpret_cast<uintptr_t>(std::exchange(spare_nodes_, node));
  }
  spare_count_ += count;
}

PageAllocator::Extent* PageAllocator::TakeNode() {
  Extent* node = spare_nodes_;
  spare_nodes_ = reinterpret_cast<Extent*>(node->base);
  spare_count_--;
  return node;
}

void PageAllocator::Free(PhysRange run) {
  if (run.size == 0) return;
  DCHECK((run.base | run.size) % kPageSize == 0);
  const int order = OrderOf(run.size);
  if (order < 0) {
    hal::DiscardFrames(run);
    FreeUntouched(run);
    return;
  }
  {
    MutexLock lock(lock_);
    Bin& bin = bins_[order];
    if (bin.count < BinLimit(order)) {
      bin.runs[bin.count++] = run.base;
      return;
    }
  }
  Flush(order, BinLimit(order) / 2);
  hal::DiscardFrames(run);
  FreeUntouched(run);
}

void PageAllocator::FreeUntouched(PhysRange run) {
  if (run.size == 0) return;
  MutexLock lock(lock_);
  Insert(run);
}

// Gives all but |keep| runs of a bin back, neighbours in one piece.
void PageAllocator::Flush(int order, size_t keep) {
  constexpr size_t kBatch = 64;
  for (;;) {
    hal::paddr_t batch[kBatch];
    size_t count = 0;
    {
      MutexLock lock(lock_);
      Bin& bin = bins_[order];
      while (bin.count > keep && count < kBatch) batch[count++] = bin.runs[--bin.count];
    }
    if (count == 0) return;
    std::sort(batch, batch + count);
    const uint64_t size = kPageSize << order;
    for (size_t first = 0; first < count;) {
      size_t last = first + 1;
      while (last < count && batch[last] == batch[last - 1] + size) last++;
      const PhysRange run{batch[first], (last - first) * size};
      hal::DiscardFrames(run);
      FreeUntouched(run);
      first = last;
    }
  }
}

void PageAllocator::Trim() {
  for (int order = 0; order < kOrders; order++) Flush(order, 0);
}

PageAllocator::Statistics PageAllocator::statistics() const {
  MutexLock lock(lock_);
  uint64_t cached = 0;
  for (int order = 0; order < kOrders; order++) cached += bins_[order].count * (kPageSize << order);
  return {total_bytes_, free_bytes_ + cached, cached, extents_};
}

}  // namespace zrun
