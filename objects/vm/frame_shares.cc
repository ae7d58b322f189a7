#include "objects/vm/frame_shares.h"

#include <atomic>

#include "base/assert.h"
#include "objects/vm/page_allocator.h"

namespace zrun::frame_shares {
namespace {

using Count = std::atomic<uint32_t>;
using Leaf = std::atomic<Count*>;
constexpr uint64_t kCountsPerLeaf = hal::kPageSize / sizeof(Count);
// One pointer per leaf, in zeroed memory of the page allocator's.
constinit std::atomic<Leaf*> g_root{nullptr};

uint64_t IndexOf(hal::paddr_t frame) { return (frame - hal::Ram().base) / hal::kPageSize; }

// Zeroed memory for |slot|, unless another thread was faster.
template <typename T>
Result<T*> Install(std::atomic<T*>& slot, uint64_t bytes) {
  const hal::PhysRange run = TRY(RamFrames().AllocateRun(bytes));
  T* mine = reinterpret_cast<T*>(hal::PhysToVirt(run.base));
  T* theirs = nullptr;
  if (slot.compare_exchange_strong(theirs, mine, std::memory_order_acq_rel)) return mine;
  RamFrames().FreeUntouched(run);
  return theirs;
}

Count* Find(hal::paddr_t frame) {
  Leaf* root = g_root.load(std::memory_order_acquire);
  if (!root) return nullptr;
  const uint64_t index = IndexOf(frame);
  Count* leaf = root[index / kCountsPerLeaf].load(std::memory_order_acquire);
  return leaf ? &leaf[index % kCountsPerLeaf] : nullptr;
}

}  // namespace

Result<void> Add(hal::paddr_t frame) {
  Leaf* root = g_root.load(std::memory_order_acquire);
  const uint64_t leaves = hal::Ram().size / hal::kPageSize / kCountsPerLeaf + 1;
  if (!root) root = TRY(Install(g_root, leaves * sizeof(Leaf)));
  const uint64_t index = IndexOf(frame);
  Leaf& slot = root[index / kCountsPerLeaf];
  Count* leaf = slot.load(std::memory_order_acquire);
  if (!leaf) leaf = TRY(Install(slot, hal::kPageSize));
  leaf[index % kCountsPerLeaf].fetch_add(1, std::memory_order_relaxed);
  return {};
}

bool IsShared(hal::paddr_t frame) {
  Count* count = Find(frame);
  return count && count->load(std::memory_order_acquire) > 0;
}

bool Drop(hal::paddr_t frame) {
  Count* count = Find(frame);
  if (!count) return true;
  uint32_t others = count->load(std::memory_order_acquire);
  while (others > 0) {
    if (count->compare_exchange_weak(others, others - 1, std::memory_order_acq_rel)) return false;
  }
  return true;
}

}  // namespace zrun::frame_shares
