#include "objects/vm/vm_object.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "hal/fake/fake.h"
#include "objects/boot_for_test.h"

namespace zrun {
namespace {

using hal::Access;
using hal::kPageSize;

std::string ReadText(VmObject& object, uint64_t offset, size_t size) {
  std::string text(size, '?');
  auto read = object.Read(offset, std::as_writable_bytes(std::span(text.data(), size)));
  text.resize(read.ok() ? read.value() : 0);
  return text;
}

size_t WriteText(VmObject& object, uint64_t offset, std::string_view text) {
  return object.Write(offset, std::as_bytes(std::span(text.data(), text.size()))).value();
}

uint64_t FreeBytes() { return RamFrames().statistics().free_bytes; }

class VmObjectTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override { UseSparseRam(GetParam()); }
  void TearDown() override { UseSparseRam(false); }
};
INSTANTIATE_TEST_SUITE_P(Ram, VmObjectTest, testing::Bool(),
                         [](const auto& test) { return test.param ? "Sparse" : "Real"; });

TEST_P(VmObjectTest, ReadsWhatWasWrittenAndZerosInHoles) {
  auto object = VmObject::CreateAnonymous(10 * kPageSize).value();
  EXPECT_EQ(WriteText(*object, 3 * kPageSize - 2, "hello"), 5u);
  EXPECT_EQ(ReadText(*object, 3 * kPageSize - 3, 7), std::string("\0hello\0", 7));
  EXPECT_EQ(object->committed_bytes(), 2 * kPageSize);
  EXPECT_EQ(ReadText(*object, 0, 4), std::string(4, '\0'));
  EXPECT_EQ(object->committed_bytes(), 2 * kPageSize);  // reading does not make data
  EXPECT_EQ(WriteText(*object, 10 * kPageSize - 2, "hello"), 2u);
  EXPECT_EQ(ReadText(*object, 10 * kPageSize - 2, 10), "he");
  EXPECT_EQ(ReadText(*object, 10 * kPageSize, 10), "");
  EXPECT_EQ(object->SeekData(0, true).value(), 2 * kPageSize);
  EXPECT_EQ(object->SeekData(2 * kPageSize + 5, true).value(), 2 * kPageSize + 5);
  EXPECT_EQ(object->SeekData(2 * kPageSize, false).value(), 4 * kPageSize);
  EXPECT_EQ(object->SeekData(0, false).value(), 0u);
  EXPECT_EQ(object->SeekData(9 * kPageSize, false).value(), 10 * kPageSize);
  EXPECT_EQ(object->SeekData(10 * kPageSize, true).error(), Errno::kENXIO);
}

TEST_P(VmObjectTest, ResizeCutsAndZeroes) {
  auto object = VmObject::CreateAnonymous(0).value();
  ASSERT_TRUE(object->Resize(3 * kPageSize).ok());
  WriteText(*object, 0, std::string(3 * kPageSize, 'x'));
  ASSERT_TRUE(object->Resize(10).ok());
  EXPECT_EQ(object->committed_bytes(), kPageSize);
  ASSERT_TRUE(object->Resize(3 * kPageSize).ok());
  EXPECT_EQ(ReadText(*object, 0, 12), std::string("xxxxxxxxxx\0\0", 12));
  EXPECT_EQ(ReadText(*object, kPageSize, kPageSize), std::string(kPageSize, '\0'));
  EXPECT_EQ(object->Resize(UINT64_MAX).error(), Errno::kEFBIG);
}

TEST_P(VmObjectTest, GrowingShowsZerosWhereMappingsWroteBehindTheEnd) {
  auto object = VmObject::CreateAnonymous(10).value();
  hal::PhysRange frame;
  ASSERT_EQ(object->GetFrames(0, kPageSize, Access::kWrite, {&frame, 1}).value().count, 1u);
  memset(hal::PhysToVirt(frame.base), 'y', kPageSize);
  ASSERT_TRUE(object->Resize(20).ok());
  EXPECT_EQ(ReadText(*object, 0, 20), std::string(10, 'y') + std::string(10, '\0'));
}

TEST_P(VmObjectTest, DecommitPunchesHoles) {
  auto object = VmObject::CreateAnonymous(8 * kPageSize).value();
  WriteText(*object, 0, std::string(8 * kPageSize, 'z'));
  ASSERT_TRUE(object->Decommit(kPageSize + 100, 3 * kPageSize).ok());
  EXPECT_EQ(object->committed_bytes(), 6 * kPageSize);
  EXPECT_EQ(ReadText(*object, kPageSize + 99, 2), std::string("z\0", 2));
  EXPECT_EQ(ReadText(*object, 3 * kPageSize, 1), std::string(1, '\0'));
  EXPECT_EQ(ReadText(*object, 4 * kPageSize + 99, 2), std::string("\0z", 2));
  ASSERT_TRUE(object->Decommit(7 * kPageSize + 1, 100 * kPageSize).ok());
  EXPECT_EQ(ReadText(*object, 7 * kPageSize, 2), std::string("z\0", 2));
  WriteText(*object, 2 * kPageSize, "again");
  EXPECT_EQ(ReadText(*object, 2 * kPageSize, 6), std::string("again\0", 6));
}

TEST_P(VmObjectTest, SequentialFilesStayInFewRuns) {
  auto object = VmObject::CreateAnonymous(0).value();
  std::vector<RefPtr<VmObject>> others;
  constexpr uint64_t kPages = 1000;
  for (uint64_t page = 0; page < kPages; page++) {
    ASSERT_TRUE(object->Resize((page + 1) * kPageSize).ok());
    WriteText(*object, page * kPageSize, "x");
    others.push_back(VmObject::CreateAnonymous(kPageSize).value());
    WriteText(*others.back(), 0, "y");
  }
  std::vector<hal::PhysRange> frames(kPages);
  const auto got = object->GetFrames(0, kPages * kPageSize, Access::kRead, frames).value();
  EXPECT_EQ(got.bytes, kPages * kPageSize);
  if (GetParam()) {
    EXPECT_LE(got.count, 16u);
  }
}

TEST_P(VmObjectTest, FramesOfRangesPastTheEnd) {
  auto object = VmObject::CreateAnonymous(kPageSize + 1).value();
  hal::PhysRange frames[4];
  EXPECT_EQ(object->GetFrames(0, 8 * kPageSize, Access::kWrite, frames).value().bytes,
            2 * kPageSize);
  EXPECT_EQ(object->GetFrames(2 * kPageSize, kPageSize, Access::kRead, frames).error(),
            Errno::kENXIO);
}

TEST_P(VmObjectTest, FramesComeBack) {
  const auto use = [] {
    auto object = VmObject::CreateAnonymous(100 * kPageSize).value();
    WriteText(*object, 0, std::string(100 * kPageSize, 'x'));
    auto child = object->Snapshot(10 * kPageSize, 50 * kPageSize).value();
    WriteText(*object, 20 * kPageSize, std::string(5 * kPageSize, 'y'));
    WriteText(*child, 30 * kPageSize, std::string(5 * kPageSize, 'z'));
    auto grandchild = child->Snapshot(0, 50 * kPageSize).value();
    child = nullptr;
    WriteText(*grandchild, 0, "abc");
    EXPECT_TRUE(object->Resize(30 * kPageSize).ok());
    EXPECT_TRUE(grandchild->Decommit(5 * kPageSize, 10 * kPageSize).ok());
  };
  use();  // the allocator's and the share table's own frames stay
  const uint64_t before = FreeBytes();
  for (int i = 0; i < 10; i++) use();
  EXPECT_EQ(FreeBytes(), before);
}

TEST_P(VmObjectTest, SnapshotsSeeTheBytesAsTheyWere) {
  auto object = VmObject::CreateAnonymous(6 * kPageSize).value();
  for (char page = 0; page < 6; page += 2)
    WriteText(*object, uint64_t(page) * kPageSize, std::string(kPageSize, char('a' + page)));
  auto child = object->Snapshot(0, 6 * kPageSize).value();
  auto part = child->Snapshot(2 * kPageSize, 2 * kPageSize).value();
  const uint64_t free_before = FreeBytes();
  EXPECT_EQ(ReadText(*part, 0, 1), "c");
  EXPECT_EQ(FreeBytes(), free_before);  // nothing was copied

  WriteText(*object, 2 * kPageSize, "PARENT");
  WriteText(*child, 2 * kPageSize, "CHILD");
  WriteText(*child, kPageSize, "HOLE");
  EXPECT_EQ(ReadText(*object, 2 * kPageSize, 7), "PARENTc");
  EXPECT_EQ(ReadText(*child, 2 * kPageSize, 7), "CHILDcc");
  EXPECT_EQ(ReadText(*part, 0, 7), "ccccccc");
  EXPECT_EQ(ReadText(*object, kPageSize, 4), std::string(4, '\0'));
  EXPECT_EQ(ReadText(*child, kPageSize, 4), "HOLE");

  object = nullptr;
  EXPECT_EQ(ReadText(*child, 4 * kPageSize, 2), "ee");
  EXPECT_EQ(child->Snapshot(1, kPageSize).error(), Errno::kEINVAL);
  EXPECT_EQ(child->Snapshot(0, 7 * kPageSize).error(), Errno::kEINVAL);
}

TEST_P(VmObjectTest, SnapshotPagesAreNotWritableUntilCopied) {
  auto object = VmObject::CreateAnonymous(kPageSize).value();
  WriteText(*object, 0, "x");
  auto child = object->Snapshot(0, kPageSize).value();
  hal::PhysRange mine, its, copied;
  const auto read = object->GetFrames(0, kPageSize, Access::kRead, {&mine, 1}).value();
  EXPECT_FALSE(HasAny(read.granted, Access::kWrite));
  ASSERT_TRUE(child->GetFrames(0, kPageSize, Access::kRead, {&its, 1}).ok());
  EXPECT_EQ(mine.base, its.base);
  const auto write = child->GetFrames(0, kPageSize, Access::kWrite, {&copied, 1}).value();
  EXPECT_TRUE(HasAny(write.granted, Access::kWrite));
  EXPECT_NE(copied.base, its.base);
  EXPECT_EQ(*hal::PhysToVirt(copied.base), std::byte('x'));
}

TEST_P(VmObjectTest, SnapshotsResizeByThemselves) {
  auto object = VmObject::CreateAnonymous(2 * kPageSize + 100).value();
  WriteText(*object, 0, std::string(2 * kPageSize + 100, 'q'));
  auto child = object->Snapshot(0, 2 * kPageSize + 100).value();
  ASSERT_TRUE(child->Resize(50).ok());
  ASSERT_TRUE(child->Resize(4 * kPageSize).ok());
  EXPECT_EQ(ReadText(*child, 49, 2), std::string("q\0", 2));
  EXPECT_EQ(ReadText(*object, 49, 2), "qq");
  ASSERT_TRUE(object->Resize(0).ok());
  EXPECT_EQ(ReadText(*child, 0, 1), "q");
}

TEST_P(VmObjectTest, RandomSnapshotsAgainstCopies) {
  std::mt19937 random(13);
  constexpr size_t kPages = 12;
  struct Pair {
    RefPtr<VmObject> object;
    std::string model;
  };
  std::vector<Pair> pairs;
  pairs.push_back({VmObject::CreateAnonymous(kPages * kPageSize).value(),
                   std::string(kPages * kPageSize, '\0')});
  for (int step = 0; step < 600; step++) {
    Pair& pair = pairs[random() % pairs.size()];
    const size_t offset = random() % pair.model.size();
    const size_t size = std::min<size_t>(random() % (3 * kPageSize), pair.model.size() - offset);
    switch (random() % 6) {
      case 0:
        if (pairs.size() < 6) {
          pairs.push_back({pair.object->Snapshot(0, pair.model.size()).value(), pair.model});
        } else {
          pairs.erase(pairs.begin() + long(random() % pairs.size()));
        }
        break;
      case 1:
        ASSERT_TRUE(pair.object->Decommit(offset, size).ok());
        pair.model.replace(offset, size, size, '\0');
        break;
      default: {
        const std::string text(size, char('a' + random() % 26));
        ASSERT_EQ(WriteText(*pair.object, offset, text), size);
        pair.model.replace(offset, size, text);
      }
    }
    for (Pair& each : pairs)
      ASSERT_TRUE(ReadText(*each.object, 0, each.model.size()) == each.model) << "step " << step;
  }
}

TEST(VmObject, OutOfMemoryIsAnError) {
  auto object = VmObject::CreateAnonymous(4 * kPageSize).value();
  WriteText(*object, 0, "x");
  auto child = object->Snapshot(0, 4 * kPageSize).value();
  std::vector<hal::PhysRange> taken;
  for (uint64_t size = hal::fake::kRamSize; size >= kPageSize;) {
    auto run = RamFrames().AllocateRun(size, kPageSize, Contents::kAny);
    if (run.ok()) {
      taken.push_back(run.value());
    } else {
      size /= 2;
    }
  }
  const std::string text = "text";
  const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
  EXPECT_EQ(child->Write(kPageSize, bytes).error(), Errno::kENOMEM);  // no page
  EXPECT_EQ(child->Write(0, bytes).error(), Errno::kENOMEM);          // no copy
  EXPECT_EQ(object->Commit(0, 4 * kPageSize).error(), Errno::kENOMEM);
  hal::PhysRange frame;
  EXPECT_EQ(object->GetFrames(kPageSize, kPageSize, Access::kWrite, {&frame, 1}).error(),
            Errno::kENOMEM);
  for (hal::PhysRange run : taken) RamFrames().FreeUntouched(run);
  EXPECT_EQ(child->Write(0, bytes).value(), 4u);
  EXPECT_EQ(ReadText(*object, 0, 2), std::string("x\0", 2));
}

TEST(VmObject, WhatCannotBeHadAsAWholeIsNotKept) {
  constexpr uint64_t kSize = uint64_t{1} << 45;
  auto object = VmObject::CreateAnonymous(kSize).value();
  WriteText(*object, 3 * kPageSize, "text");
  const uint64_t before = FreeBytes();
  EXPECT_EQ(object->Commit(0, kSize).error(), Errno::kENOMEM);
  EXPECT_GE(FreeBytes() + 16 * kPageSize, before);  // but for what describes the extents
  EXPECT_EQ(object->committed_bytes(), kPageSize);
  EXPECT_EQ(ReadText(*object, 3 * kPageSize, 4), "text");
}

TEST(VmObject, PhysicalMemory) {
  hal::fake::SetImage(std::vector<std::byte>(2 * kPageSize, std::byte('i')));
  const hal::PhysRange rom = hal::ImageRom();
  auto object = VmObject::CreatePhysical(rom, kPageSize + 7).value();
  EXPECT_EQ(ReadText(*object, kPageSize, 100), std::string(7, 'i'));
  hal::PhysRange frames[2];
  const auto got = object->GetFrames(0, 9 * kPageSize, Access::kRead, frames).value();
  EXPECT_EQ(got.count, 1u);
  EXPECT_EQ(got.bytes, 2 * kPageSize);
  EXPECT_EQ(frames[0].base, rom.base);
  EXPECT_EQ(object->Resize(3 * kPageSize).error(), Errno::kEFBIG);
  EXPECT_TRUE(object->Resize(2 * kPageSize).ok());
  EXPECT_EQ(object->Decommit(0, 1).error(), Errno::kEOPNOTSUPP);
  EXPECT_EQ(VmObject::CreatePhysical(rom, 3 * kPageSize).error(), Errno::kEINVAL);
}

// A file of bytes 'A' + page, that counts what is asked of it.
struct SourceLog {
  std::atomic<int> reads{0}, writes{0};
  std::atomic<bool> broken{false};
  std::atomic<uint64_t> broken_at{UINT64_MAX};
  uint64_t cluster = kPageSize;
  std::string last_written;
};
class CountingSource final : public PageSource {
 public:
  explicit CountingSource(SourceLog& log) : log_(log) {}
  uint64_t cluster_size() const override { return log_.cluster; }
  Result<void> ReadPages(uint64_t offset, std::span<const hal::PhysRange> frames) override {
    log_.reads++;
    if (log_.broken) return Errno::kEIO;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    for (const hal::PhysRange& frame : frames) {
      if (offset == log_.broken_at) return Errno::kEIO;
      memset(hal::PhysToVirt(frame.base), int('A' + offset / kPageSize), kPageSize);
      offset += kPageSize;
    }
    return {};
  }
  Result<void> WritePages(uint64_t, std::span<const hal::PhysRange> frames) override {
    log_.writes++;
    log_.last_written.assign(reinterpret_cast<const char*>(hal::PhysToVirt(frames[0].base)), 4);
    if (log_.broken) return Errno::kEIO;
    return {};
  }

 private:
  SourceLog& log_;
};

TEST_P(VmObjectTest, SourcesAreReadOnceAndWrittenBack) {
  SourceLog log;
  auto object =
      VmObject::CreatePaged(8 * kPageSize, MakeOwned<CountingSource>(log).value()).value();
  EXPECT_EQ(ReadText(*object, kPageSize - 1, 2), "AB");
  EXPECT_EQ(ReadText(*object, 0, 1), "A");
  EXPECT_EQ(log.reads, 2);
  WriteText(*object, 2 * kPageSize + 1, "!");
  EXPECT_EQ(ReadText(*object, 2 * kPageSize, 3), "C!C");
  ASSERT_TRUE(object->Sync(0, 8 * kPageSize).ok());
  EXPECT_EQ(log.writes, 1);
  EXPECT_EQ(log.last_written, "C!CC");
  ASSERT_TRUE(object->Sync(0, 8 * kPageSize).ok());
  EXPECT_EQ(log.writes, 1);
  hal::PhysRange frame;
  EXPECT_EQ(object->GetFrames(5 * kPageSize, kPageSize, Access::kRead, {&frame, 1}).error(),
            Errno::kEAGAIN);
  ASSERT_TRUE(object->FillPages(5 * kPageSize, 1).ok());
  ASSERT_TRUE(object->GetFrames(5 * kPageSize, kPageSize, Access::kRead, {&frame, 1}).ok());
  EXPECT_EQ(*hal::PhysToVirt(frame.base), std::byte('F'));
  auto child = object->Snapshot(0, 8 * kPageSize).value();
  EXPECT_EQ(ReadText(*child, 7 * kPageSize, 1), "H");
  ASSERT_TRUE(object->Decommit(0, kPageSize).ok());
  const int reads = log.reads;
  EXPECT_EQ(ReadText(*object, 0, 1), "A");
  EXPECT_EQ(log.reads, reads + 1);
  log.broken = true;
  ASSERT_TRUE(object->Decommit(0, kPageSize).ok());
  char byte;
  EXPECT_EQ(object->Read(0, std::as_writable_bytes(std::span(&byte, 1))).error(), Errno::kEIO);
  WriteText(*object, 3 * kPageSize, "x");
  EXPECT_EQ(object->Sync(0, 8 * kPageSize).error(), Errno::kEIO);
  log.broken = false;
  EXPECT_TRUE(object->Sync(0, 8 * kPageSize).ok());
  EXPECT_EQ(log.last_written.substr(0, 2), "xD");
}

TEST_P(VmObjectTest, ClustersAreReadAtOnce) {
  SourceLog log;
  log.cluster = 8 * kPageSize;
  auto object =
      VmObject::CreatePaged(21 * kPageSize, MakeOwned<CountingSource>(log).value()).value();
  EXPECT_EQ(ReadText(*object, 3 * kPageSize, 1), "D");
  EXPECT_EQ(object->committed_bytes(), 8 * kPageSize);
  EXPECT_EQ(ReadText(*object, 7 * kPageSize, 1), "H");
  EXPECT_EQ(log.reads, 1);
  EXPECT_EQ(ReadText(*object, 20 * kPageSize, 1), "U");  // cut at the end
  EXPECT_EQ(object->committed_bytes(), 13 * kPageSize);
  EXPECT_EQ(log.reads, 2);
  // What is there already is not read again.
  ASSERT_TRUE(object->Decommit(2 * kPageSize, kPageSize).ok());
  EXPECT_EQ(ReadText(*object, 2 * kPageSize, 1), "C");
  EXPECT_EQ(log.reads, 3);
  // A page that cannot be read does not keep others from being read.
  log.broken_at = 12 * kPageSize;
  EXPECT_EQ(ReadText(*object, 9 * kPageSize, 1), "J");
  char byte;
  EXPECT_EQ(object->Read(12 * kPageSize, std::as_writable_bytes(std::span(&byte, 1))).error(),
            Errno::kEIO);
  // Neighbours are written at once.
  WriteText(*object, 16 * kPageSize, "x");
  WriteText(*object, 17 * kPageSize, "y");
  WriteText(*object, 19 * kPageSize, "z");
  ASSERT_TRUE(object->Sync(0, UINT64_MAX).ok());
  EXPECT_EQ(log.writes, 2);
}

TEST_P(VmObjectTest, ThreadsReadAPageOnce) {
  SourceLog log;
  auto object =
      VmObject::CreatePaged(16 * kPageSize, MakeOwned<CountingSource>(log).value()).value();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++) {
    threads.emplace_back([&] {
      for (uint64_t page = 0; page < 16; page++)
        EXPECT_EQ(ReadText(*object, page * kPageSize, 1), std::string(1, char('A' + page)));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(log.reads, 16);
}

TEST_P(VmObjectTest, ThreadsWriteResizeAndSnapshot) {
  auto object = VmObject::CreateAnonymous(64 * kPageSize).value();
  const auto run = [&] {
    std::vector<std::thread> threads;
    for (uint64_t t = 0; t < 3; t++) {
      threads.emplace_back([&, t] {  // each in pages of its own
        const std::string text(kPageSize, char('a' + t));
        for (int i = 0; i < 100; i++)
          WriteText(*object, (t + uint64_t(i % 20) * 3) * kPageSize, text);
      });
    }
    threads.emplace_back([&] {
      for (int i = 0; i < 50; i++) {
        EXPECT_TRUE(object->Resize((62 + uint64_t(i % 3)) * kPageSize).ok());
        EXPECT_TRUE(object->Decommit(62 * kPageSize, 2 * kPageSize).ok());
      }
    });
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(object->Resize(0).ok());
    EXPECT_TRUE(object->Resize(64 * kPageSize).ok());
  };
  run();
  const uint64_t before = FreeBytes();
  run();
  EXPECT_EQ(FreeBytes(), before);
}

}  // namespace
}  // namespace zrun
