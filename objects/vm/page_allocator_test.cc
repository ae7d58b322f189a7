#include "objects/vm/page_allocator.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "hal/fake/fake.h"
#include "objects/boot_for_test.h"
#include "objects/heap.h"
#include "objects/vm/frame_shares.h"

namespace zrun {
namespace {

using hal::kPageSize;
using hal::PhysRange;

// A part of RAM for an allocator of the test's own.
class PageAllocatorTest : public testing::Test {
 protected:
  void SetUp() override {
    region_ = RamFrames().AllocateRun(kPages * kPageSize, kPageSize, Contents::kAny).value();
    allocator_ = std::make_unique<PageAllocator>(region_);
    initial_ = allocator_->statistics().free_bytes;
  }
  void TearDown() override {
    allocator_.reset();
    RamFrames().Free(region_);
  }
  static constexpr uint64_t kPages = 3000;
  PhysRange region_;
  std::unique_ptr<PageAllocator> allocator_;
  uint64_t initial_ = 0;
};

TEST_F(PageAllocatorTest, NeverGivesAPageTwiceAndTakesAllBack) {
  std::mt19937 random(3);
  std::vector<PhysRange> runs;
  std::vector<char> used(kPages);
  const auto mark = [&](PhysRange run, char value) {
    for (uint64_t at = run.base; at < run.end(); at += kPageSize) {
      char& page = used[(at - region_.base) / kPageSize];
      ASSERT_NE(page, value);
      page = value;
    }
  };
  for (int step = 0; step < 20000; step++) {
    if (random() % 2 || runs.empty()) {
      const uint64_t size = (1 + random() % 20) * kPageSize;
      const uint64_t alignment = kPageSize << (random() % 4);
      auto run = allocator_->AllocateRun(size, alignment, Contents::kAny);
      if (!run.ok()) continue;
      ASSERT_EQ(run.value().base % alignment, 0u);
      ASSERT_EQ(run.value().size, size);
      mark(run.value(), 1);
      runs.push_back(run.value());
    } else {
      const size_t index = random() % runs.size();
      PhysRange run = runs[index];
      mark(run, 0);
      if (run.size > kPageSize && random() % 2) {  // in pieces
        allocator_->Free({run.base, kPageSize});
        run = {run.base + kPageSize, run.size - kPageSize};
      }
      allocator_->Free(run);
      runs[index] = runs.back();
      runs.pop_back();
    }
  }
  for (PhysRange run : runs) allocator_->Free(run);
  allocator_->Trim();
  // All but the frames of nodes, which stay, is one piece again or lies around them.
  EXPECT_GE(allocator_->statistics().free_bytes, initial_ - 40 * kPageSize);
  EXPECT_LE(allocator_->statistics().extents, 40u);
  EXPECT_EQ(allocator_->statistics().cached_bytes, 0u);
}

TEST_F(PageAllocatorTest, ZeroesWhatWasUsed) {
  PhysRange run = allocator_->AllocateRun(4 * kPageSize).value();
  memset(hal::PhysToVirt(run.base), 0x55, run.size);
  allocator_->Free(run);
  EXPECT_EQ(allocator_->statistics().cached_bytes, run.size);
  for (int i = 0; i < 2; i++) {
    PhysRange again = allocator_->AllocateRun(4 * kPageSize).value();
    for (size_t at = 0; at < again.size; at++)
      ASSERT_EQ(hal::PhysToVirt(again.base)[at], std::byte{0});
    memset(hal::PhysToVirt(again.base), 0x55, again.size);
    allocator_->Free(again);
    allocator_->Trim();
  }
}

TEST_F(PageAllocatorTest, RunsOutAndRecovers) {
  std::vector<PhysRange> pages;
  for (;;) {
    auto page = allocator_->AllocateRun(kPageSize, kPageSize, Contents::kAny);
    if (!page.ok()) {
      EXPECT_EQ(page.error(), Errno::kENOMEM);
      break;
    }
    pages.push_back(page.value());
  }
  EXPECT_EQ(allocator_->statistics().free_bytes, 0u);
  EXPECT_FALSE(allocator_->AllocateRun(UINT64_MAX / 2).ok());
  // Every other page first: the tree is as large as it can be.
  for (size_t i = 0; i < pages.size(); i += 2) allocator_->Free(pages[i]);
  for (size_t i = 1; i < pages.size(); i += 2) allocator_->Free(pages[i]);
  allocator_->Trim();
  EXPECT_GE(allocator_->statistics().free_bytes, initial_ - 64 * kPageSize);
  EXPECT_TRUE(allocator_->AllocateRun(10 * kPageSize).ok());
}

TEST_F(PageAllocatorTest, ManyThreads) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++) {
    threads.emplace_back([&, t] {
      std::mt19937 random{unsigned(t)};
      std::vector<PhysRange> runs;
      for (int step = 0; step < 3000; step++) {
        if (runs.size() < 20) {
          auto run =
              allocator_->AllocateRun((1 + random() % 8) * kPageSize, kPageSize, Contents::kAny);
          if (!run.ok()) continue;
          memset(hal::PhysToVirt(run.value().base), t, run.value().size);
          runs.push_back(run.value());
        } else {
          const PhysRange run = runs[random() % 20];
          std::erase_if(runs, [&](PhysRange other) { return other.base == run.base; });
          ASSERT_EQ(hal::PhysToVirt(run.base)[run.size - 1], std::byte(t));
          allocator_->Free(run);
        }
      }
      for (PhysRange run : runs) allocator_->Free(run);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(allocator_->statistics().free_bytes, initial_ - 20 * kPageSize);
}

TEST(FrameShares, CountOwners) {
  const PhysRange run = RamFrames().AllocateRun(2 * kPageSize).value();
  EXPECT_FALSE(frame_shares::IsShared(run.base));
  ASSERT_TRUE(frame_shares::Add(run.base).ok());
  ASSERT_TRUE(frame_shares::Add(run.base).ok());
  EXPECT_TRUE(frame_shares::IsShared(run.base));
  EXPECT_FALSE(frame_shares::IsShared(run.base + kPageSize));
  EXPECT_FALSE(frame_shares::Drop(run.base));
  EXPECT_FALSE(frame_shares::Drop(run.base));
  EXPECT_FALSE(frame_shares::IsShared(run.base));
  EXPECT_TRUE(frame_shares::Drop(run.base));
  RamFrames().Free(run);
}

TEST_F(PageAllocatorTest, HeapGivesAlignedDisjointBlocks) {
  struct Block {
    void* memory;
    size_t size;
    unsigned char pattern;
  };
  std::mt19937 random(5);
  Heap heap(*allocator_);
  std::vector<Block> blocks;
  const auto check_and_free = [&](const Block& block) {
    const auto* bytes = static_cast<const unsigned char*>(block.memory);
    for (size_t i = 0; i < block.size; i++) ASSERT_EQ(bytes[i], block.pattern);
    heap.Free(block.memory);
  };
  for (int step = 0; step < 20000; step++) {
    if (blocks.size() < 300) {
      const size_t size = random() % (random() % 10 ? 600 : 9000);
      const size_t alignment = size_t{1} << (random() % 8);
      void* memory = heap.Allocate(size, alignment);
      ASSERT_TRUE(memory);
      ASSERT_EQ(reinterpret_cast<uintptr_t>(memory) % alignment, 0u);
      const auto pattern = static_cast<unsigned char>(random());
      memset(memory, pattern, size);
      blocks.push_back({memory, size, pattern});
    } else {
      const size_t index = random() % blocks.size();
      check_and_free(blocks[index]);
      blocks[index] = blocks.back();
      blocks.pop_back();
    }
  }
  for (const Block& block : blocks) check_and_free(block);
  // At most one empty slab of each size is kept.
  EXPECT_LE(heap.reserved_bytes(), 23 * Heap::kChunkSize);
  EXPECT_EQ(heap.Allocate(SIZE_MAX), nullptr);
  EXPECT_EQ(heap.Allocate(kPages * kPageSize), nullptr);
  void* page = heap.Allocate(kPageSize, kPageSize);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(page) % kPageSize, 0u);
  heap.Free(page);
  heap.Free(nullptr);
}

TEST_F(PageAllocatorTest, HeapRunsOut) {
  Heap heap(*allocator_);
  std::vector<void*> blocks;
  while (void* block = heap.Allocate(1024)) blocks.push_back(block);
  EXPECT_GT(blocks.size(), 2000u * 4096 / 1024);
  for (void* block : blocks) heap.Free(block);
  EXPECT_TRUE(heap.Allocate(1024));
}

TEST_F(PageAllocatorTest, HeapManyThreads) {
  Heap heap(*allocator_);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++) {
    threads.emplace_back([&, t] {
      std::mt19937 random{unsigned(t)};
      std::vector<std::pair<char*, size_t>> blocks;
      for (int step = 0; step < 5000; step++) {
        if (blocks.size() < 50) {
          const size_t size = 1 + random() % 300;
          char* block = static_cast<char*>(heap.Allocate(size));
          ASSERT_TRUE(block);
          memset(block, t, size);
          blocks.emplace_back(block, size);
        } else {
          std::swap(blocks[random() % blocks.size()], blocks.back());
          ASSERT_EQ(blocks.back().first[blocks.back().second - 1], char(t));
          heap.Free(blocks.back().first);
          blocks.pop_back();
        }
      }
      for (auto& [block, size] : blocks) heap.Free(block);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace zrun
