#include "compat/futex_table.h"

#include <gtest/gtest.h>

#include <deque>

namespace zrun::compat {
namespace {

class FutexTableTest : public testing::Test {
 protected:
  FutexWaiter& Queue(FutexKey key, uint32_t bitset = ~0u, int priority = 0) {
    FutexWaiter& waiter = waiters_.emplace_back();
    waiter.priority = priority;
    waiter.key = key;
    waiter.bitset = bitset;
    FutexBucket& bucket = table_.BucketOf(key);
    MutexLock lock(bucket.lock);
    FutexTable::Queue(bucket, waiter);
    return waiter;
  }
  void TearDown() override {
    for (FutexWaiter& waiter : waiters_) table_.Cancel(waiter);
  }
  FutexTable table_;
  std::deque<FutexWaiter> waiters_;
  const FutexKey key_{this, 0x1000}, other_{this, 0x1004};
};

TEST_F(FutexTableTest, WakesInOrderAndCounts) {
  FutexWaiter &a = Queue(key_), &b = Queue(key_), &c = Queue(other_);
  EXPECT_EQ(table_.Wake(key_, 1, ~0u).value(), 1u);
  EXPECT_FALSE(a.is_queued());
  EXPECT_TRUE(b.is_queued());
  EXPECT_EQ(table_.Wake(key_, 10, ~0u).value(), 1u);
  EXPECT_FALSE(b.is_queued());
  EXPECT_TRUE(c.is_queued());
  EXPECT_EQ(table_.Wake(key_, 10, ~0u).value(), 0u);
}

TEST_F(FutexTableTest, WakesTheHighestPriorityFirst) {
  FutexWaiter &low = Queue(key_, ~0u, 0), &middle = Queue(key_, ~0u, 10),
              &high = Queue(key_, ~0u, 99), &later = Queue(key_, ~0u, 10);
  for (FutexWaiter* expected : {&high, &middle, &later, &low}) {
    EXPECT_TRUE(expected->is_queued());
    EXPECT_EQ(table_.Wake(key_, 1, ~0u).value(), 1u);
    EXPECT_FALSE(expected->is_queued());
  }
}

TEST_F(FutexTableTest, WakesOnlyMatchingBits) {
  FutexWaiter &one = Queue(key_, 1), &two = Queue(key_, 2);
  EXPECT_EQ(table_.Wake(key_, 10, 2).value(), 1u);
  EXPECT_TRUE(one.is_queued());
  EXPECT_FALSE(two.is_queued());
}

TEST_F(FutexTableTest, CancelTellsWhetherItWasWoken) {
  FutexWaiter &a = Queue(key_), &b = Queue(key_);
  EXPECT_EQ(table_.Wake(key_, 1, ~0u).value(), 1u);
  EXPECT_FALSE(table_.Cancel(a));
  EXPECT_TRUE(table_.Cancel(b));
  EXPECT_FALSE(table_.Cancel(b));
}

TEST_F(FutexTableTest, KeysDifferByObjectAndOffset) {
  int elsewhere = 0;
  Queue({&elsewhere, 0x1000});
  EXPECT_EQ(table_.Wake(key_, 10, ~0u).value(), 0u);
  EXPECT_EQ(table_.Wake({&elsewhere, 0x1000}, 10, ~0u).value(), 1u);
}

}  // namespace
}  // namespace zrun::compat
