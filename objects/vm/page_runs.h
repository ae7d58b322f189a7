#pragma once
#include <optional>

#include "base/intrusive_list.h"
#include "base/ref_ptr.h"
#include "base/tree.h"
#include "hal/memory.h"

namespace zrun {

// Which frames lie behind which offsets of a VmObject, as runs: pages whose frames follow each
// other. Owns the nodes, not the frames. The object's lock guards it.
struct PageRun : TreeNode<>, ListNode<PageRun> {
  uint64_t offset = 0;
  uint64_t size = 0;
  hal::paddr_t frame = 0;
  bool touched = true;  // once cut: may hold something else than zeros
  uint64_t end() const { return offset + size; }
};
using PageRunList = IntrusiveList<PageRun, PageRun>;

class PageRuns {
 public:
  PageRuns() = default;
  ~PageRuns() { CHECK(runs_.empty()); }

  // The frames from |offset| on, as far as they follow each other.
  std::optional<hal::PhysRange> Find(uint64_t offset) const;
  // Where the next run begins, at or after |offset|; UINT64_MAX if none does.
  uint64_t NextOffset(uint64_t offset) const;
  // Pages that have none yet. ENOMEM.
  Result<void> Insert(uint64_t offset, hal::PhysRange frames);
  // Makes sure that no run crosses |offset|. ENOMEM.
  Result<void> SplitAt(uint64_t offset);
  // Moves what lies in [begin, end) to |out|. Both must have been split at, unless they are no
  // run's middle.
  void Take(uint64_t begin, uint64_t end, PageRunList& out);
  // Points one page, which is a run of its own now, to another frame; returns the one it had.
  hal::paddr_t ReplaceFrame(uint64_t offset, hal::paddr_t frame);
  bool empty() const { return runs_.empty(); }

 private:
  struct Traits {
    static uint64_t KeyOf(const PageRun& run) { return run.offset; }
  };
  PageRun* Containing(uint64_t offset) const;
  Tree<PageRun, Traits> runs_;
};

}  // namespace zrun
