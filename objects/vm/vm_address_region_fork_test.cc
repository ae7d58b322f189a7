// Forks, random operations, threads. Runs over both bodies of private pages.
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "objects/task/thread.h"
#include "objects/vm/region_for_test.h"
#include "objects/vm/vm_address_region.h"

namespace zrun::region_test {
namespace {

struct RegionForkTest : RegionTest {};
INSTANTIATE_TEST_SUITE_P(Ram, RegionForkTest,
                         private_pages::kMapsAhead ? testing::Values(true) : testing::Values(false),
                         [](const auto& test) { return test.param ? "Sparse" : "Real"; });

class ChildThread final : public Thread {
 public:
  ChildThread(RefPtr<Process> process, std::function<void(VmAddressRegion&)> body)
      : Thread(std::move(process)), body_(std::move(body)) {}

 private:
  void Main() override { body_(*process().region()); }
  std::function<void(VmAddressRegion&)> body_;
};

// Runs |child| in a copy of |space| to its end.
void Fork(Space& space, std::function<void(Space&)> child, std::function<void()> parent = nullptr) {
  class Client final : public VmAddressRegion::ForkClient {
   public:
    void Adopt(RefPtr<VmAddressRegion> region) override {
      process->ReplaceRegion(std::move(region));
    }
    RefPtr<Process> process;
  } client;
  auto job = Job::CreateRoot({}).value();
  client.process = Process::Create(job, nullptr).value();
  std::atomic<bool> go{parent == nullptr};
  auto thread = MakeRef<ChildThread>(client.process, [&](VmAddressRegion& region) {
                  while (!go) std::this_thread::yield();
                  Space view{RefPtr<VmAddressRegion>(&region)};
                  child(view);
                  hal::fake::EnterSpace(nullptr);
                }).value();
  ASSERT_TRUE(space.region->Fork(*thread, client).ok());
  if (parent) parent();
  go = true;
  while (!thread->has_ended()) std::this_thread::yield();
  client.process->Terminate(0);
}

TEST_P(RegionForkTest, ForkCopiesOnWrite) {
  Space space;
  RefPtr<VmObject> file = MakeFile("file", 2 * kPageSize);
  space.Map(At(0), 4).value();
  space.Map(At(10), 2, kReadWrite, MapFlags::kNone, file).value();
  space.Map(At(20), 2, kReadWrite, MapFlags::kPrivate, file).value();
  space.Write(At(0), "zero");
  space.Write(At(1), "one");
  space.Write(At(20), "F");
  Fork(
      space,
      [](Space& child) {
        EXPECT_EQ(child.Read(At(0), 4), "zero");
        EXPECT_EQ(child.Read(At(1), 3), "one");
        EXPECT_EQ(child.Read(At(20), 4), "File");
        EXPECT_TRUE(child.Write(At(1), "ONE"));
        EXPECT_TRUE(child.Write(At(10) + 1, "CHILD"));
        EXPECT_TRUE(child.Write(At(21), "child"));
        EXPECT_EQ(child.Read(At(1), 3), "ONE");
        EXPECT_EQ(child.Show(), "0-4rw 10-12rw 20-22rw");
      },
      [&] { space.Write(At(0), "ZERO"); });
  space.Enter();
  EXPECT_EQ(space.Read(At(0), 4), "ZERO");
  EXPECT_EQ(space.Read(At(1), 3), "one");
  EXPECT_EQ(space.Read(At(10), 6), "fCHILD");
  EXPECT_EQ(space.Read(At(21), 1), std::string(1, '\0'));
}

TEST_P(RegionForkTest, ForkOfForks) {
  Space space;
  space.Map(At(0), 3).value();
  space.Write(At(0), "a");
  space.Write(At(1), "b");
  Fork(space, [](Space& child) {
    child.Write(At(1), "B");
    Fork(child, [](Space& grandchild) {
      EXPECT_EQ(grandchild.Read(At(0)), "a");
      EXPECT_EQ(grandchild.Read(At(1)), "B");
      EXPECT_TRUE(grandchild.Write(At(2), "C"));
      ASSERT_TRUE(grandchild.region->Unmap(Pages(0, 1)).ok());
    });
    child.Enter();
    EXPECT_EQ(child.Read(At(2)), std::string(1, '\0'));
    EXPECT_EQ(child.Read(At(0)), "a");
  });
  space.Enter();
  EXPECT_EQ(space.Read(At(1)), "b");
}

TEST_P(RegionForkTest, ForkObeysAdvice) {
  Space space;
  space.Map(At(0), 1).value();
  space.Map(At(2), 1).value();
  space.Map(At(4), 1).value();
  for (uint64_t page : {0, 2, 4}) space.Write(At(page), "x");
  ASSERT_TRUE(space.region->Advise(Pages(0, 1), kAdviseDontFork).ok());
  ASSERT_TRUE(space.region->Advise(Pages(2, 1), kAdviseWipeOnFork).ok());
  Fork(space, [](Space& child) {
    EXPECT_EQ(child.Read(At(0)), "!");
    EXPECT_EQ(child.Read(At(2)), std::string(1, '\0'));
    EXPECT_EQ(child.Read(At(4)), "x");
  });
  space.Enter();
  EXPECT_EQ(space.Read(At(2)), "x");
  ASSERT_TRUE(space.region->Advise(Pages(0, 1), kAdviseDoFork).ok());
  ASSERT_TRUE(space.region->Advise(Pages(2, 1), kAdviseKeepOnFork).ok());
  Fork(space, [](Space& child) {
    EXPECT_EQ(child.Read(At(0)), "x");
    EXPECT_EQ(child.Read(At(2)), "x");
  });
}

TEST_P(RegionForkTest, ForkGivesFramesBack) {
  const auto use = [] {
    Space space;
    space.Map(At(0), 50).value();
    for (uint64_t page = 0; page < 50; page++) space.Write(At(page), "parent");
    Fork(space, [](Space& child) {
      for (uint64_t page = 0; page < 50; page += 2) child.Write(At(page), "child");
      ASSERT_TRUE(child.region->Unmap(Pages(10, 10)).ok());
    });
    space.Enter();
    for (uint64_t page = 0; page < 50; page += 3) space.Write(At(page), "again");
    hal::fake::EnterSpace(nullptr);
  };
  use();
  const uint64_t before = RamFrames().statistics().free_bytes;
  for (int i = 0; i < 3; i++) use();
  hal::fake::AwaitThreads(1);
  EXPECT_EQ(RamFrames().statistics().free_bytes, before);
}

// ---- At random, against a model of bytes.

TEST_P(RegionForkTest, RandomOperationsAgainstAModel) {
  constexpr uint64_t kPages = 40;
  std::mt19937 random(17);
  Space space;
  RefPtr<VmObject> file = VmObject::CreateAnonymous(kPages * kPageSize).value();
  struct Page {
    char byte;  // the first of it
    bool shared;
    uint64_t file_page;
    bool writable;
  };
  std::map<uint64_t, Page> model;
  std::vector<char> in_file(kPages, '\0');
  const auto byte_of = [&](const Page& page) {
    return page.shared ? in_file[page.file_page] : page.byte;
  };
  for (int step = 0; step < 4000; step++) {
    const uint64_t first = random() % kPages,
                   count = 1 + random() % std::min<uint64_t>(8, kPages - first);
    switch (random() % 8) {
      case 0:
        space.Map(At(first), count).value();
        for (uint64_t p = first; p < first + count; p++) model[p] = {'\0', false, 0, true};
        break;
      case 1: {
        const uint64_t offset = random() % (kPages - count + 1);
        space.Map(At(first), count, kReadWrite, MapFlags::kNone, file, offset * kPageSize).value();
        for (uint64_t p = 0; p < count; p++) model[first + p] = {'\0', true, offset + p, true};
        break;
      }
      case 2:
        ASSERT_TRUE(space.region->Unmap(Pages(first, count)).ok());
        for (uint64_t p = first; p < first + count; p++) model.erase(p);
        break;
      case 3: {
        const bool writable = random() % 2;
        if (space.region->Protect(Pages(first, count), writable ? kReadWrite : Access::kRead)
                .ok()) {
          for (uint64_t p = first; p < first + count; p++) model[p].writable = writable;
        } else {
          for (uint64_t p = first; p < first + count && model.count(p); p++)
            model[p].writable = writable;
        }
        break;
      }
      case 4: {
        const uint64_t to = random() % kPages;
        if (to + count > kPages) break;
        auto moved = space.region->Remap(Pages(first, count), count * kPageSize,
                                         kRemapMayMove | kRemapFixed, At(to));
        if (!moved.ok()) {
          // The target may have been cleared before it failed, but only where it did not overlap.
          if (moved.error() != Errno::kEINVAL) {
            for (uint64_t p = to; p < to + count; p++) {
              if (!space.region->Find(At(p))) model.erase(p);
            }
          }
          break;
        }
        for (uint64_t p = 0; p < count; p++) {
          model[to + p] = model[first + p];
          model.erase(first + p);
        }
        break;
      }
      default: {
        const char byte = char('a' + random() % 26);
        const auto it = model.find(first);
        ASSERT_EQ(space.Write(At(first), std::string(1, byte)),
                  it != model.end() && it->second.writable);
        if (it == model.end() || !it->second.writable) break;
        (it->second.shared ? in_file[it->second.file_page] : it->second.byte) = byte;
      }
    }
    for (uint64_t p = 0; p < kPages; p++) {
      const auto it = model.find(p);
      ASSERT_EQ(space.Read(At(p)), it == model.end() ? "!" : std::string(1, byte_of(it->second)))
          << "page " << p << " step " << step;
    }
    uint64_t mapped = 0;
    for (vaddr_t at = kBase; auto mapping = space.region->FindFrom(at);) {
      at = mapping->range.end();
      if (at <= At(kPages)) mapped += mapping->range.size;
    }
    ASSERT_EQ(mapped, model.size() * kPageSize);
  }
}

// Threads of one space map, touch and unmap ranges of their own while a file under them changes its
// size.
TEST_P(RegionForkTest, ManyThreads) {
  Space space;
  RefPtr<VmObject> file = VmObject::CreateAnonymous(16 * kPageSize).value();
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 3; t++) {
    threads.emplace_back([&, t] {
      hal::fake::EnterSpace(&space.region->space());
      for (int i = 0; i < 150; i++) {
        const uint64_t base = 100 * t;
        ASSERT_TRUE(space.Map(At(base), 20).ok());
        ASSERT_TRUE(space.Map(At(base + 30), 16, kReadWrite, MapFlags::kNone, file).ok());
        ASSERT_TRUE(space.Write(At(base + uint64_t(i) % 20), "x"));
        static_cast<void>(space.Write(At(base + 30 + uint64_t(i) % 8), "y"));
        ASSERT_TRUE(space.region->Protect(Pages(base + 5, 5), Access::kRead).ok());
        ASSERT_TRUE(space.region->Unmap(Pages(base, 60)).ok());
      }
      hal::fake::EnterSpace(nullptr);
    });
  }
  threads.emplace_back([&] {
    for (int i = 0; i < 150; i++) {
      ASSERT_TRUE(file->Resize((8 + uint64_t(i % 8)) * kPageSize).ok());
      ASSERT_TRUE(file->Decommit(9 * kPageSize, kPageSize).ok());
    }
  });
  for (std::thread& thread : threads) thread.join();
}

TEST_P(RegionForkTest, UserMemoryStringsAndWords) {
  Space space;
  space.Map(At(0), 2).value();
  space.Write(At(1) - 3, std::string_view("string\0", 7));
  EXPECT_EQ(space.memory.ReadString({At(1) - 3}, 100).value().view(), "string");
  EXPECT_EQ(space.memory.ReadString({At(1) - 3}, 6).error(), Errno::kENAMETOOLONG);
  EXPECT_EQ(space.memory.ReadString({At(1) - 3}, 7).value().view(), "string");
  space.Write(At(2) - 2, "ab");
  EXPECT_EQ(space.memory.ReadString({At(2) - 2}, 100).error(), Errno::kEFAULT);
  EXPECT_EQ(space.memory.ReadString({0}, 100).error(), Errno::kEFAULT);
  EXPECT_EQ(space.memory.LoadWord(UserPtr<const uint32_t>(At(0) + 1)).error(), Errno::kEINVAL);
  EXPECT_EQ(space.memory.LoadWord(UserPtr<const uint32_t>(At(9))).error(), Errno::kEFAULT);
  uint32_t expected = 0;
  EXPECT_TRUE(space.memory.CompareExchangeWord(UserPtr<uint32_t>(At(0)), expected, 7).value());
  EXPECT_FALSE(space.memory.CompareExchangeWord(UserPtr<uint32_t>(At(0)), expected, 8).value());
  EXPECT_EQ(expected, 7u);
  EXPECT_EQ(space.memory.LoadWord(UserPtr<const uint32_t>(At(0))).value(), 7u);
  EXPECT_EQ(space.memory.Zero(UserPtr<std::byte>(At(0)), 3 * kPageSize).value(), 2 * kPageSize);
  EXPECT_EQ(space.memory.CopyIn({}, UserPtr<const std::byte>(0)).value(), 0u);
  struct Pair {
    uint32_t a, b;
  };
  ASSERT_TRUE(space.memory.Write(UserPtr<Pair>(At(0)), Pair{1, 2}).ok());
  EXPECT_EQ(space.memory.Read(UserPtr<Pair>(At(0))).value().b, 2u);
  EXPECT_EQ(space.memory.Read(UserPtr<Pair>(At(2) - 4)).error(), Errno::kEFAULT);
}

}  // namespace
}  // namespace zrun::region_test
