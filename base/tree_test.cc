#include "base/tree.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <set>

#include "base/range_set.h"

namespace zrun {
namespace {

struct Item : TreeNode<> {
  explicit Item(int k) : key(k), sum(k) {}
  int key;
  long sum;  // of the subtree
};
struct Traits {
  static int KeyOf(const Item& item) { return item.key; }
  static void Update(Item& item) {
    const Item* left = Tree<Item, Traits>::Left(item);
    const Item* right = Tree<Item, Traits>::Right(item);
    item.sum = item.key + (left ? left->sum : 0) + (right ? right->sum : 0);
  }
};

int Depth(const Item* item) {
  if (!item) return 0;
  return 1 +
         std::max(Depth(Tree<Item, Traits>::Left(*item)), Depth(Tree<Item, Traits>::Right(*item)));
}

TEST(Tree, StaysSortedBalancedAndSummed) {
  std::mt19937 random(7);
  Tree<Item, Traits> tree;
  std::multimap<int, std::unique_ptr<Item>> items;
  long sum = 0;
  for (int step = 0; step < 20000; step++) {
    if (items.size() < 500 && random() % 5 < 3) {
      auto item = std::make_unique<Item>(int(random() % 1000));
      sum += item->key;
      tree.Insert(*item);
      items.emplace(item->key, std::move(item));
    } else if (!items.empty()) {
      auto it = items.begin();
      std::advance(it, random() % items.size());
      sum -= it->first;
      tree.Remove(*it->second);
      items.erase(it);
    }
    ASSERT_EQ(tree.root() ? tree.root()->sum : 0, sum);
    if (step % 50 != 0) continue;
    const Item* item = tree.First();
    for (const auto& [key, expected] : items) {
      ASSERT_TRUE(item);
      ASSERT_EQ(item->key, key);
      item = tree.Next(*item);
    }
    ASSERT_FALSE(item);
    ASSERT_LE(Depth(tree.root()), 13);
    const int probe = int(random() % 1000);
    auto lower = items.lower_bound(probe);
    Item* found = tree.AtOrAfter(probe);
    ASSERT_EQ(found != nullptr, lower != items.end());
    if (found) {
      ASSERT_EQ(found->key, lower->first);
    }
    auto upper = items.upper_bound(probe);
    Item* before = tree.AtOrBefore(probe);
    ASSERT_EQ(before != nullptr, upper != items.begin());
    if (before) {
      ASSERT_EQ(before->key, std::prev(upper)->first);
    }
  }
  while (Item* item = tree.Last()) tree.Remove(*item);
  EXPECT_TRUE(tree.empty());
}

TEST(RangeSet, BehavesAsASetOfNumbers) {
  std::mt19937 random(11);
  RangeSet ranges;
  std::set<uint64_t> numbers;
  for (int step = 0; step < 5000; step++) {
    const uint64_t begin = random() % 200, end = begin + random() % 20;
    if (random() % 2) {
      ASSERT_TRUE(ranges.Add(begin, end).ok());
      for (uint64_t i = begin; i < end; i++) numbers.insert(i);
    } else {
      ASSERT_TRUE(ranges.Remove(begin, end).ok());
      for (uint64_t i = begin; i < end; i++) numbers.erase(i);
    }
    ASSERT_EQ(ranges.total(), numbers.size());
    const uint64_t at = random() % 220;
    ASSERT_EQ(ranges.Contains(at), numbers.count(at) == 1);
    uint64_t missing = at;
    while (numbers.count(missing)) missing++;
    ASSERT_EQ(ranges.FirstMissing(at), missing);
    const auto first = ranges.FirstAfter(at);
    auto expected = numbers.lower_bound(at);
    ASSERT_EQ(first.has_value(), expected != numbers.end());
    if (first) {
      ASSERT_EQ(first->begin, *expected);
    }
    bool covered = true;
    for (uint64_t i = begin; i < end; i++) covered &= numbers.count(i) == 1;
    ASSERT_EQ(ranges.Covers(begin, end), covered);
  }
}

}  // namespace
}  // namespace zrun
