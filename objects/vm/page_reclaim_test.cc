#include "objects/vm/page_reclaim.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "hal/fake/fake.h"
#include "objects/boot_for_test.h"
#include "objects/vm/user_memory.h"
#include "objects/vm/vm_address_region.h"

namespace zrun {
namespace {

using hal::Access;
using hal::kPageSize;

// Each page is full of its number's letter.
class Letters final : public PageSource {
 public:
  explicit Letters(std::atomic<int>& reads) : reads_(reads) {}
  Result<void> ReadPages(uint64_t offset, std::span<const hal::PhysRange> frames) override {
    reads_++;
    for (const hal::PhysRange& frame : frames) {
      memset(hal::PhysToVirt(frame.base), Letter(offset), kPageSize);
      offset += kPageSize;
    }
    return {};
  }
  Result<void> WritePages(uint64_t, std::span<const hal::PhysRange>) override { return {}; }
  static char Letter(uint64_t offset) { return char('A' + offset / kPageSize % 26); }

 private:
  std::atomic<int>& reads_;
};

class ReclaimTest : public testing::Test {
 protected:
  RefPtr<VmObject> MakeFile(uint64_t pages) {
    return VmObject::CreatePaged(pages * kPageSize, MakeOwned<Letters>(reads).value()).value();
  }
  char At(VmObject& object, uint64_t page) {
    char byte = '!';
    EXPECT_EQ(object.Read(page * kPageSize, std::as_writable_bytes(std::span(&byte, 1))).value(),
              1u);
    return byte;
  }
  std::atomic<int> reads{0};
};

TEST_F(ReclaimTest, CleanPagesGoAndAreReadAgain) {
  auto file = MakeFile(20);
  ASSERT_TRUE(file->FillPages(0, 20 * kPageSize).ok());
  const char text = '!';
  ASSERT_TRUE(file->Write(5 * kPageSize, std::as_bytes(std::span(&text, 1))).ok());
  EXPECT_EQ(file->clean_bytes(), 19 * kPageSize);
  EXPECT_EQ(CachedBytes(), 19 * kPageSize);
  const uint64_t free = RamFrames().statistics().free_bytes;
  EXPECT_EQ(file->Evict(3 * kPageSize, false), 3 * kPageSize);
  EXPECT_EQ(file->Evict(8 * kPageSize, false), 2 * kPageSize);  // up to the dirty one
  EXPECT_EQ(RamFrames().statistics().free_bytes, free + 5 * kPageSize);
  EXPECT_EQ(ReclaimPages(100 * kPageSize), 14 * kPageSize);
  EXPECT_EQ(ReclaimPages(100 * kPageSize), 0u);
  EXPECT_EQ(file->committed_bytes(), kPageSize);
  const int before = reads;
  EXPECT_EQ(At(*file, 5), '!');
  EXPECT_EQ(reads, before);
  EXPECT_EQ(At(*file, 19), 'T');
  EXPECT_EQ(At(*file, 0), 'A');
  EXPECT_EQ(reads, before + 2);
  ASSERT_TRUE(file->Sync(0, 20 * kPageSize).ok());
  EXPECT_EQ(ReclaimPages(UINT64_MAX), 3 * kPageSize);
}

TEST_F(ReclaimTest, MappedPagesGoLastAndComeBack) {
  auto region = VmAddressRegion::Create(hal::CreateAddressSpace().value()).value();
  hal::fake::EnterSpace(&region->space());
  UserMemory memory(*region);
  auto mapped = MakeFile(8), other = MakeFile(8);
  Mapping mapping;
  mapping.range = {0, 8 * kPageSize};
  mapping.object = mapped;
  mapping.access = Access::kRead | Access::kWrite;
  mapping.flags = MapFlags::kPrivate;
  const hal::vaddr_t base = region->Map(std::move(mapping)).value();
  const auto read = [&](uint64_t page) {
    return memory.Read(UserPtr<char>(base + page * kPageSize)).value();
  };
  for (uint64_t page = 0; page < 8; page++)
    EXPECT_EQ(read(page), Letters::Letter(page * kPageSize));
  ASSERT_TRUE(memory.Write(UserPtr<char>(base + 2 * kPageSize), 'x').ok());
  ASSERT_TRUE(other->FillPages(0, 8 * kPageSize).ok());
  EXPECT_EQ(ReclaimPages(8 * kPageSize), 8 * kPageSize);
  EXPECT_EQ(other->committed_bytes(), 0u);
  EXPECT_EQ(mapped->committed_bytes(), 8 * kPageSize);
  const int before = reads;
  EXPECT_EQ(ReclaimPages(8 * kPageSize, 8 * kPageSize), 0u);
  EXPECT_EQ(ReclaimPages(8 * kPageSize, 6 * kPageSize), 2 * kPageSize);
  EXPECT_EQ(ReclaimPages(8 * kPageSize), 6 * kPageSize);
  EXPECT_EQ(read(3), 'D');
  EXPECT_EQ(read(2), 'x');  // what was written is the mapping's own
  EXPECT_EQ(reads, before + 1);
  hal::fake::EnterSpace(nullptr);
}

TEST_F(ReclaimTest, ReadersAndReclaimMayRace) {
  auto file = MakeFile(26);
  std::atomic<bool> stop{false};
  std::thread reclaimer([&] {
    while (!stop) ReclaimPages(UINT64_MAX);
  });
  for (int round = 0; round < 300; round++) {
    for (uint64_t page = 0; page < 26; page++) EXPECT_EQ(At(*file, page), char('A' + page));
    auto child = file->Snapshot(0, 26 * kPageSize).value();
    EXPECT_EQ(At(*child, 25), 'Z');
  }
  stop = true;
  reclaimer.join();
}

// Takes all frames but |spare| bytes.
class Hoard {
 public:
  explicit Hoard(uint64_t spare = 0) {
    RamFrames().Trim();
    hal::PhysRange kept{};
    if (spare > 0) kept = RamFrames().AllocateRun(spare, kPageSize, Contents::kAny).value();
    for (uint64_t size = hal::fake::kRamSize; size >= kPageSize;) {
      auto run = RamFrames().AllocateRun(size, kPageSize, Contents::kAny);
      if (run.ok()) {
        runs_.push_back(run.value());
      } else {
        size /= 2;
      }
    }
    if (spare > 0) RamFrames().Free(kept);
  }
  ~Hoard() {
    for (hal::PhysRange run : runs_) RamFrames().Free(run);
    RamFrames().Trim();
  }

 private:
  std::vector<hal::PhysRange> runs_;
};

std::atomic<int> g_killed{0};

TEST_F(ReclaimTest, WhoRunsShortGetsCachedPages) {
  SetMemoryKiller([] { g_killed++; });
  g_killed = 0;
  const uint64_t pages = 2 * RamFrames().low_bytes() / kPageSize;
  auto file = MakeFile(pages);
  ASSERT_TRUE(file->FillPages(0, pages * kPageSize).ok());
  auto object = VmObject::CreateAnonymous(kPageSize).value();
  {
    Hoard hoard;
    EXPECT_EQ(RamFrames().level(), PageAllocator::Level::kCritical);
    const char text = 'x';
    EXPECT_TRUE(object->Write(0, std::as_bytes(std::span(&text, 1))).ok());
    EXPECT_LT(file->committed_bytes(), pages * kPageSize);
  }
  EXPECT_EQ(g_killed, 0);
  SetMemoryKiller(nullptr);
}

// Pages that go and are needed again at once, all that are left several times a second, are no
// progress; pages that are read for the first time are.
TEST_F(ReclaimTest, SomebodyIsKilledWhenTextOnlyComesAndGoes) {
  SetMemoryKiller([] { g_killed++; });
  auto file = MakeFile(2);
  Hoard hoard(RamFrames().low_bytes() / 2);
  ASSERT_EQ(RamFrames().level(), PageAllocator::Level::kLow);
  hal::fake::FreezeClock();
  constexpr uint64_t kNeverTaken = uint64_t{1} << 40;
  const auto pass = [&](int seconds, bool taken) {
    g_killed = 0;
    for (int i = 0; i < seconds; i++) {
      if (taken) NoteTaken(*file, 0, kPageSize);
      NoteRead(*file, taken ? 0 : kNeverTaken, hal::fake::kRamSize);
      hal::fake::AdvanceClock(hal::kSecond + 1);
      EXPECT_TRUE(AwaitMemory());
    }
  };
  pass(20, false);
  EXPECT_EQ(g_killed, 0);
  pass(4, true);
  EXPECT_EQ(g_killed, 0);
  pass(1, false);
  pass(20, true);
  EXPECT_EQ(g_killed, 4);
  hal::fake::ThawClock();
  SetMemoryKiller(nullptr);
}

TEST_F(ReclaimTest, SomebodyIsKilledWhenThereIsNothing) {
  static Hoard* hoard;
  g_killed = 0;
  auto object = VmObject::CreateAnonymous(kPageSize).value();
  const char text = 'x';
  SetMemoryKiller([] { g_killed++; });
  hoard = new Hoard;
  EXPECT_EQ(object->Write(0, std::as_bytes(std::span(&text, 1))).error(), Errno::kENOMEM);
  EXPECT_EQ(g_killed, 1);  // and only one within its time
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  SetMemoryKiller([] { delete std::exchange(hoard, nullptr); });
  EXPECT_TRUE(object->Write(0, std::as_bytes(std::span(&text, 1))).ok());
  SetMemoryKiller(nullptr);
}

}  // namespace
}  // namespace zrun
