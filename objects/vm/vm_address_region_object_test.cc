// Files, shared objects, advice and growth. Runs over both bodies of private pages.
#include <functional>

#include "objects/vm/region_for_test.h"
#include "objects/vm/vm_address_region.h"

namespace zrun::region_test {
namespace {

struct RegionObjectTest : RegionTest {};
INSTANTIATE_TEST_SUITE_P(Ram, RegionObjectTest,
                         private_pages::kMapsAhead ? testing::Values(true) : testing::Values(false),
                         [](const auto& test) { return test.param ? "Sparse" : "Real"; });

TEST_P(RegionObjectTest, SharedMappingsReachTheObject) {
  Space space;
  RefPtr<VmObject> file = MakeFile("hello", 2 * kPageSize + 1);
  space.Map(At(0), 5, kReadWrite, MapFlags::kNone, file).value();
  space.Map(At(10), 1, Access::kRead, MapFlags::kNone, file).value();
  EXPECT_EQ(space.Read(At(0), 5), "hello");
  EXPECT_TRUE(space.Write(At(0), "J"));
  EXPECT_EQ(space.Read(At(10), 5), "Jello");
  EXPECT_EQ(ReadFile(*file, 0, 5), "Jello");
  EXPECT_TRUE(space.Write(At(2) + 100, "z"));  // on the last page, behind the end
  EXPECT_FALSE(space.Write(At(3), "z"));
  EXPECT_EQ(space.region->HandleFault(At(3), Access::kRead).error(), Errno::kENXIO);
  ASSERT_TRUE(file->Resize(4 * kPageSize).ok());
  EXPECT_TRUE(space.Write(At(3), "z"));
  EXPECT_EQ(ReadFile(*file, 3 * kPageSize, 1), "z");
  EXPECT_EQ(ReadFile(*file, 2 * kPageSize + 100, 1), std::string(1, '\0'));  // was behind the end
}

TEST_P(RegionObjectTest, TruncationTakesPagesFromAllMappings) {
  Space one;
  RefPtr<VmObject> file = MakeFile("hello", 4 * kPageSize);
  one.Map(At(0), 4, kReadWrite, MapFlags::kNone, file).value();
  one.Map(At(10), 3, kReadWrite, MapFlags::kPrivate, file, kPageSize).value();
  one.Write(At(3), "last");
  one.Write(At(12), "mine");
  one.Write(At(10), "kept");
  Space two;
  two.Map(At(0), 4, kReadWrite, MapFlags::kNone, file).value();
  EXPECT_EQ(two.Read(At(3), 4), "last");
  ASSERT_TRUE(file->Resize(2 * kPageSize).ok());
  EXPECT_EQ(two.Read(At(3)), "!");
  EXPECT_EQ(two.Read(At(0)), "h");
  one.Enter();
  EXPECT_EQ(one.Read(At(2)), "!");
  EXPECT_EQ(one.Read(At(12)), "!");
  EXPECT_EQ(one.Read(At(10), 4), "kept");
  ASSERT_TRUE(file->Resize(4 * kPageSize).ok());
  EXPECT_EQ(one.Read(At(3)), std::string(1, '\0'));
  EXPECT_EQ(one.Read(At(12)), std::string(1, '\0'));
}

TEST_P(RegionObjectTest, HolesAreSeenByAllMappings) {
  Space space;
  RefPtr<VmObject> file = MakeFile("hello", 3 * kPageSize);
  space.Map(At(0), 3, kReadWrite, MapFlags::kNone, file).value();
  space.Map(At(10), 3, kReadWrite, MapFlags::kPrivate, file).value();
  EXPECT_TRUE(space.Write(At(10) + 1, "mine"));
  EXPECT_EQ(space.Read(At(10), 5), "hmine");
  space.Write(At(1), "x");
  EXPECT_EQ(space.Read(At(11)), "x");
  ASSERT_TRUE(space.region->Advise(Pages(0, 2), kAdviseRemove).ok());
  EXPECT_EQ(space.Read(At(0), 5), std::string(5, '\0'));
  EXPECT_EQ(space.Read(At(11)), std::string(1, '\0'));
  EXPECT_EQ(space.Read(At(10), 5), "hmine");  // copies stay
  EXPECT_TRUE(space.Write(At(0), "new"));
  EXPECT_EQ(ReadFile(*file, 0, 3), "new");
  EXPECT_EQ(space.region->Advise(Pages(10, 2), kAdviseRemove).error(), Errno::kEACCES);
}

TEST_P(RegionObjectTest, PrivateFileMappings) {
  Space space;
  RefPtr<VmObject> file = MakeFile("hello", 2 * kPageSize);
  space.Map(At(0), 3, kReadWrite, MapFlags::kPrivate, file).value();
  EXPECT_EQ(space.Read(At(0), 5), "hello");
  EXPECT_TRUE(space.Write(At(0), "J"));
  EXPECT_EQ(space.Read(At(0), 5), "Jello");
  EXPECT_EQ(ReadFile(*file, 0, 5), "hello");
  ASSERT_TRUE(file->Write(kPageSize, std::as_bytes(std::span("later", 5))).ok());
  EXPECT_EQ(space.Read(At(1), 5), "later");  // pages not written to are the file's
  EXPECT_EQ(space.Read(At(2)), "!");
  ASSERT_TRUE(file->Resize(3 * kPageSize).ok());
  EXPECT_EQ(space.Read(At(2)), std::string(1, '\0'));
  EXPECT_EQ(space.Read(At(0), 5), "Jello");
  ASSERT_TRUE(space.region->Advise(Pages(0, 3), kAdviseDontNeed).ok());
  EXPECT_EQ(space.Read(At(0), 5), "hello");
}

// Each page is full of its number's letter.
class Letters final : public PageSource {
 public:
  Result<void> ReadPages(uint64_t offset, std::span<const hal::PhysRange> frames) override {
    for (const hal::PhysRange& frame : frames) {
      memset(hal::PhysToVirt(frame.base), int('A' + offset / kPageSize), kPageSize);
      offset += kPageSize;
    }
    return {};
  }
  Result<void> WritePages(uint64_t, std::span<const hal::PhysRange>) override { return {}; }
};

TEST_P(RegionObjectTest, SourcesAreReadOnFault) {
  Space space;
  auto file = VmObject::CreatePaged(40 * kPageSize, MakeOwned<Letters>().value()).value();
  space.Map(At(0), 40, Access::kRead, MapFlags::kNone, file).value();
  space.Map(At(100), 40, kReadWrite, MapFlags::kPrivate, file).value();
  EXPECT_EQ(space.Read(At(3) - 1, 2), "CD");
  EXPECT_EQ(space.Read(At(139)), "h");
  EXPECT_TRUE(space.Write(At(120), "x"));
  EXPECT_EQ(space.Read(At(120), 2), "xU");
  EXPECT_EQ(space.Read(At(20), 2), "UU");
}

// A space without translations that tells what happens to it.
class WatchedSpace final : public hal::AddressSpace {
 public:
  ~WatchedSpace() override { on_end(); }
  Result<void> MapShared(vaddr_t, std::span<const hal::PhysRange>, Access) override { return {}; }
  Result<void> Protect(hal::VirtRange, Access) override { return {}; }
  Result<void> Unmap(hal::VirtRange) override {
    on_unmap();
    return {};
  }
  Result<void> UnmapAll() override { return {}; }
  std::function<void()> on_unmap, on_end;
};

// While pages are being taken from an object's mappings, others of it are, from first to last.
TEST_P(RegionObjectTest, PagesMayGoInTwoPlacesAtOnce) {
  auto file = VmObject::CreatePaged(2 * kPageSize, MakeOwned<Letters>().value()).value();
  auto watched = MakeRef<WatchedSpace>().value();
  auto first = VmAddressRegion::Create(watched).value();
  Mapping mapping;
  mapping.range = {At(0), 2 * kPageSize};
  mapping.object = file;
  mapping.access = Access::kRead;
  mapping.flags = MapFlags::kFixed;
  ASSERT_TRUE(first->Map(std::move(mapping)).ok());
  Space spaces[2];
  for (Space& space : spaces) {
    space.Map(At(0), 2, Access::kRead, MapFlags::kNone, file).value();
    space.Enter();
    EXPECT_EQ(space.Read(At(1) - 1, 2), "AB");
  }
  // The first region ends as it has been visited: no lock is held there.
  watched->on_unmap = [&] { first = nullptr; };
  bool inner = false;
  watched->on_end = [&] { inner = file->Decommit(kPageSize, kPageSize).ok(); };
  watched = nullptr;
  ASSERT_TRUE(file->Decommit(0, kPageSize).ok());
  EXPECT_TRUE(inner);
  for (Space& space : spaces) {
    auto& translations = static_cast<hal::fake::Space&>(space.region->space());
    EXPECT_FALSE(translations.Find(At(0)).has_value());
    EXPECT_FALSE(translations.Find(At(1)).has_value());
  }
}

TEST_P(RegionObjectTest, Advice) {
  Space space;
  space.Map(At(0), 4).value();
  space.Write(At(1), "x");
  EXPECT_EQ(space.region->Advise(Pages(0, 4), 77).error(), Errno::kEINVAL);
  EXPECT_EQ(space.region->Advise({At(0) + 1, 1}, kAdviseNormal).error(), Errno::kEINVAL);
  EXPECT_EQ(space.region->Advise(Pages(0, 1), 100 /* MADV_HWPOISON */).error(), Errno::kEINVAL);
  EXPECT_EQ(space.region->Advise(Pages(2, 4), kAdviseWillNeed).error(), Errno::kENOMEM);
  EXPECT_TRUE(space.region->Advise(Pages(0, 4), kAdviseFree).ok());
  ASSERT_TRUE(space.region->SetLocked(Pages(0, 4), true).ok());
  EXPECT_EQ(space.region->totals().locked_bytes, 4 * kPageSize);
  EXPECT_EQ(space.region->Advise(Pages(0, 4), kAdviseDontNeed).error(), Errno::kEINVAL);
  EXPECT_EQ(space.region->Sync(Pages(0, 4), true).error(), Errno::kEBUSY);
  ASSERT_TRUE(space.region->SetLocked(Pages(0, 4), false).ok());
  EXPECT_EQ(space.region->SetLocked(Pages(3, 4), true).error(), Errno::kENOMEM);
  ASSERT_TRUE(space.region->SetLocked(Pages(3, 1), false).ok());
  EXPECT_TRUE(space.region->Advise(Pages(0, 4), kAdviseDontNeed).ok());
  EXPECT_EQ(space.Read(At(1)), std::string(1, '\0'));
  RefPtr<VmObject> file = MakeFile("f", kPageSize);
  space.Map(At(10), 1, kReadWrite, MapFlags::kNone, file).value();
  EXPECT_EQ(space.region->Advise(Pages(10, 1), kAdviseFree).error(), Errno::kEINVAL);
  EXPECT_EQ(space.region->Advise(Pages(10, 1), kAdviseWipeOnFork).error(), Errno::kEINVAL);
  EXPECT_TRUE(space.region->Advise(Pages(10, 1), kAdviseDontNeed).ok());
  EXPECT_EQ(space.Read(At(10)), "f");
}

TEST_P(RegionObjectTest, PopulateAndResidency) {
  Space space;
  space.Map(At(0), 4).value();
  std::vector<uint8_t> resident(4);
  ASSERT_TRUE(space.region->Residency(Pages(0, 4), resident).ok());
  EXPECT_EQ(resident, (std::vector<uint8_t>{0, 0, 0, 0}));
  space.Write(At(1), "x");
  ASSERT_TRUE(space.region->Residency(Pages(0, 4), resident).ok());
  EXPECT_EQ(resident, (std::vector<uint8_t>{0, 1, 0, 0}));
  ASSERT_TRUE(space.region->Advise(Pages(2, 2), kAdvisePopulateWrite).ok());
  ASSERT_TRUE(space.region->Residency(Pages(0, 4), resident).ok());
  EXPECT_EQ(resident, (std::vector<uint8_t>{0, 1, 1, 1}));
  EXPECT_EQ(space.region->Residency(Pages(2, 4), resident).error(), Errno::kENOMEM);
  EXPECT_EQ(space.region->Advise(Pages(2, 4), kAdvisePopulateRead).error(), Errno::kENOMEM);
  ASSERT_TRUE(space.region->Protect(Pages(0, 1), Access::kRead).ok());
  EXPECT_EQ(space.region->Advise(Pages(0, 1), kAdvisePopulateWrite).error(), Errno::kEINVAL);
}

TEST_P(RegionObjectTest, StacksGrow) {
  Space space;
  space.Map(At(5000), 4, kReadWrite, MapFlags::kPrivate | MapFlags::kGrowsDown).value();
  EXPECT_TRUE(space.Write(At(4990), "deep"));
  EXPECT_EQ(space.Read(At(4995)), std::string(1, '\0'));
  space.region->SetStackLimit(64 * kPageSize);
  EXPECT_FALSE(space.Write(At(4900), "deeper"));
  space.region->SetStackLimit(6000 * kPageSize);
  space.Map(At(4500), 4).value();
  EXPECT_FALSE(space.Write(At(4510), "too near"));
  EXPECT_TRUE(space.Write(At(4800), "ok"));
}

}  // namespace
}  // namespace zrun::region_test
