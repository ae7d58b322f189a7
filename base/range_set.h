#pragma once
#include <cstdint>
#include <optional>

#include "base/ref_ptr.h"
#include "base/tree.h"

namespace zrun {

// A set of numbers as disjoint ranges that never touch: a run of any length costs one node.
class RangeSet {
 public:
  struct Range {
    uint64_t begin;
    uint64_t end;
  };

  RangeSet() = default;
  ~RangeSet() { Clear(); }
  RangeSet(const RangeSet&) = delete;
  RangeSet& operator=(const RangeSet&) = delete;

  bool empty() const { return ranges_.empty(); }
  // How many numbers are in it.
  uint64_t total() const { return total_; }
  Result<void> Add(uint64_t begin, uint64_t end);
  // Fails (ENOMEM, nothing changed) only if it has to split a range.
  Result<void> Remove(uint64_t begin, uint64_t end);
  void Clear();
  // The first range that ends after |at|, cut to what lies at or after |at|.
  std::optional<Range> FirstAfter(uint64_t at) const;
  bool Contains(uint64_t at) const {
    const auto range = FirstAfter(at);
    return range && range->begin == at;
  }
  bool Covers(uint64_t begin, uint64_t end) const {
    const auto range = FirstAfter(begin);
    return begin >= end || (range && range->begin == begin && range->end >= end);
  }
  // How many numbers of [begin, end) are in it.
  uint64_t CountWithin(uint64_t begin, uint64_t end) const;
  // The first number at or after |at| that is not in it.
  uint64_t FirstMissing(uint64_t at) const {
    const auto range = FirstAfter(at);
    return range && range->begin == at ? range->end : at;
  }

 private:
  struct Node : TreeNode<> {
    uint64_t begin = 0;
    uint64_t end = 0;
  };
  struct Traits {
    static uint64_t KeyOf(const Node& node) { return node.begin; }
  };
  // The first node that ends at or after |at|.
  Node* FirstTouching(uint64_t at) const;
  void Drop(Node& node);

  Tree<Node, Traits> ranges_;
  uint64_t total_ = 0;
};

}  // namespace zrun
