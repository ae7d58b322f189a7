#include "base/range_set.h"

namespace zrun {

RangeSet::Node* RangeSet::FirstTouching(uint64_t at) const {
  Node* before = ranges_.AtOrBefore(at);
  if (before && before->end >= at) return before;
  return before ? ranges_.Next(*before) : ranges_.First();
}

void RangeSet::Drop(Node& node) {
  ranges_.Remove(node);
  delete &node;
}

Result<void> RangeSet::Add(uint64_t begin, uint64_t end) {
  if (begin >= end) return {};
  Node* node = FirstTouching(begin);
  if (!node || node->begin > end) {
    OwnPtr<Node> fresh = TRY(MakeOwned<Node>());
    fresh->begin = begin;
    fresh->end = end;
    total_ += end - begin;
    ranges_.Insert(*fresh.release());
    return {};
  }
  if (node->begin <= begin && node->end >= end) return {};
  total_ -= node->end - node->begin;
  node->begin = std::min(node->begin, begin);  // order is kept: all before it end before |begin|
  node->end = std::max(node->end, end);
  while (Node* next = ranges_.Next(*node)) {
    if (next->begin > node->end) break;
    node->end = std::max(node->end, next->end);
    total_ -= next->end - next->begin;
    Drop(*next);
  }
  total_ += node->end - node->begin;
  return {};
}

Result<void> RangeSet::Remove(uint64_t begin, uint64_t end) {
  if (begin >= end) return {};
  Node* node = FirstTouching(begin);
  if (node && node->end == begin) node = ranges_.Next(*node);
  if (node && node->begin < begin && node->end > end) {
    OwnPtr<Node> rest = TRY(MakeOwned<Node>());
    rest->begin = end;
    rest->end = node->end;
    node->end = begin;
    ranges_.Insert(*rest.release());
    total_ -= end - begin;
    return {};
  }
  while (node && node->begin < end) {
    Node* next = ranges_.Next(*node);
    total_ -= std::min(node->end, end) - std::max(node->begin, begin);
    if (node->begin < begin) {
      node->end = begin;
    } else if (node->end > end) {
      node->begin = end;
    } else {
      Drop(*node);
    }
    node = next;
  }
  return {};
}

uint64_t RangeSet::CountWithin(uint64_t begin, uint64_t end) const {
  uint64_t count = 0;
  for (auto range = FirstAfter(begin); range && range->begin < end; range = FirstAfter(range->end))
    count += std::min(range->end, end) - range->begin;
  return count;
}

void RangeSet::Clear() {
  while (Node* node = ranges_.root()) Drop(*node);
  total_ = 0;
}

std::optional<RangeSet::Range> RangeSet::FirstAfter(uint64_t at) const {
  Node* node = FirstTouching(at);
  if (node && node->end == at) node = ranges_.Next(*node);
  if (!node) return std::nullopt;
  return Range{std::max(node->begin, at), node->end};
}

}  // namespace zrun
