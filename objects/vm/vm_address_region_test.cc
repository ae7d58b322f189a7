// Runs over both bodies of private pages.
#include "objects/vm/vm_address_region.h"

#include "objects/vm/map_limit.h"
#include "objects/vm/region_for_test.h"

namespace zrun::region_test {
namespace {

struct RegionMapTest : RegionTest {};
INSTANTIATE_TEST_SUITE_P(Ram, RegionMapTest,
                         private_pages::kMapsAhead ? testing::Values(true) : testing::Values(false),
                         [](const auto& test) { return test.param ? "Sparse" : "Real"; });

TEST_P(RegionMapTest, AnonymousMemoryIsZeroAndStaysApart) {
  Space space;
  ASSERT_EQ(space.Map(At(0), 4).value(), At(0));
  EXPECT_EQ(space.Read(At(1) + 7, 3), std::string(3, '\0'));
  EXPECT_TRUE(space.Write(At(1) - 2, "abcd"));
  EXPECT_EQ(space.Read(At(1) - 3, 6), std::string("\0abcd\0", 6));
  EXPECT_EQ(space.Read(At(4) - 1, 2), "!");
  std::vector<std::byte> buffer(9000);
  EXPECT_EQ(space.memory.CopyIn(buffer, UserPtr<std::byte>(At(3))).value(), kPageSize);
  EXPECT_EQ(space.region->HandleFault(At(9), Access::kRead).error(), Errno::kEFAULT);
  EXPECT_EQ(space.region->HandleFault(At(0), Access::kExecute).error(), Errno::kEACCES);
}

TEST_P(RegionMapTest, UnmapSplits) {
  Space space;
  space.Map(At(0), 10).value();
  space.Write(At(6), "x");
  ASSERT_TRUE(space.region->Unmap(Pages(3, 2)).ok());
  EXPECT_EQ(space.Show(), "0-3rw 5-10rw");
  EXPECT_EQ(space.Read(At(3)), "!");
  EXPECT_EQ(space.Read(At(6)), "x");
  ASSERT_TRUE(space.region->Unmap(Pages(2, 5)).ok());
  EXPECT_EQ(space.Show(), "0-2rw 7-10rw");
  ASSERT_TRUE(space.region->Unmap(Pages(50, 5)).ok());
  EXPECT_EQ(space.region->Unmap({At(1) + 1, kPageSize}).error(), Errno::kEINVAL);
  EXPECT_EQ(space.region->Unmap(Pages(1, 0)).error(), Errno::kEINVAL);
  // What comes back is zero.
  space.Map(At(6), 1).value();
  EXPECT_EQ(space.Read(At(6)), std::string(1, '\0'));
}

TEST_P(RegionMapTest, KeepsToTheNumberOfMappings) {
  Space space;
  space.Map(At(0), 10).value();
  space.Map(At(20), 10).value();
  max_mappings.store(uint32_t(space.region->totals().mappings));
  EXPECT_EQ(space.Map(At(40), 1).error(), Errno::kENOMEM);
  // A hole makes two of one.
  EXPECT_EQ(space.region->Unmap(Pages(3, 2)).error(), Errno::kENOMEM);
  EXPECT_EQ(space.Show(), "0-10rw 20-30rw");
  EXPECT_TRUE(space.region->Unmap(Pages(0, 2)).ok());
  EXPECT_TRUE(space.region->Unmap(Pages(8, 14)).ok());
  max_mappings.store(kUsualMaxMappings);
  EXPECT_TRUE(space.region->Unmap(Pages(3, 2)).ok());
  EXPECT_EQ(space.Show(), "2-3rw 5-8rw 22-30rw");
}

TEST_P(RegionMapTest, ProtectSplitsAndJoins) {
  Space space;
  space.Map(At(0), 10).value();
  space.Write(At(4), "x");
  ASSERT_TRUE(space.region->Protect(Pages(3, 3), Access::kRead).ok());
  EXPECT_EQ(space.Show(), "0-3rw 3-6r 6-10rw");
  EXPECT_FALSE(space.Write(At(4), "y"));
  EXPECT_EQ(space.Read(At(4)), "x");
  ASSERT_TRUE(space.region->Protect(Pages(3, 1), Access::kNone).ok());
  EXPECT_EQ(space.Read(At(3)), "!");
  ASSERT_TRUE(space.region->Protect(Pages(0, 10), kReadWrite).ok());
  EXPECT_TRUE(space.Write(At(4) + 1, "z"));
  EXPECT_EQ(space.Read(At(4), 2), "xz");
  EXPECT_EQ(space.Show(), "0-10rw");
  space.Map(At(12), 2).value();
  EXPECT_EQ(space.region->Protect(Pages(8, 6), Access::kRead).error(), Errno::kENOMEM);
  EXPECT_FALSE(space.Write(At(9), "y"));
  EXPECT_TRUE(space.Write(At(13), "y"));
}

TEST_P(RegionMapTest, NeighboursJoin) {
  Space space;
  space.Map(At(0), 2).value();
  space.Map(At(2), 2).value();
  EXPECT_EQ(space.Show(), "0-4rw");
  RefPtr<VmObject> file = MakeFile("f", 8 * kPageSize);
  space.Map(At(10), 2, Access::kRead, MapFlags::kPrivate, file, 0).value();
  space.Map(At(12), 2, Access::kRead, MapFlags::kPrivate, file, 2 * kPageSize).value();
  space.Map(At(14), 2, Access::kRead, MapFlags::kPrivate, file, 2 * kPageSize).value();
  EXPECT_EQ(space.Show(), "0-4rw 10-14r 14-16r");
  EXPECT_EQ(space.region->totals().mappings, 4u);  // with the vDSO
}

TEST_P(RegionMapTest, MemoryGrowsInOnePiece) {
  Space space;
  space.Map(At(0), 1).value();
  EXPECT_TRUE(space.Write(At(0), "heap"));
  for (int i = 1; i < 4; i++) {
    space.Map(At(i), 1).value();
    EXPECT_TRUE(space.Write(At(i), std::to_string(i)));
  }
  EXPECT_EQ(space.Show(), "0-4rw");
  EXPECT_EQ(space.Read(At(0), 4), "heap");
  EXPECT_EQ(space.Read(At(2), 1), "2");
  // What is unmapped does not come back.
  ASSERT_TRUE(space.region->Unmap(Pages(1, 3)).ok());
  space.Map(At(1), 2).value();
  EXPECT_EQ(space.Show(), "0-3rw");
  EXPECT_EQ(space.Read(At(0), 4), "heap");
  EXPECT_EQ(space.Read(At(2), 1), std::string(1, '\0'));
  // Nor do two parts of one object get into each other's way.
  EXPECT_TRUE(space.Write(At(2), "2"));
  ASSERT_TRUE(space.region->Unmap(Pages(1, 1)).ok());
  space.Map(At(1), 1).value();
  EXPECT_EQ(space.Read(At(1), 1), std::string(1, '\0'));
  EXPECT_EQ(space.Read(At(2), 1), "2");
}

TEST_P(RegionMapTest, Placement) {
  Space space;
  space.region->SetMmapBase(At(1000));
  EXPECT_EQ(space.Map(0, 10).value(), At(990));
  EXPECT_EQ(space.Map(0, 5).value(), At(985));
  ASSERT_TRUE(space.region->Unmap(Pages(992, 2)).ok());
  EXPECT_EQ(space.Map(0, 2).value(), At(992));
  EXPECT_EQ(space.Map(0, 3).value(), At(982));
  Mapping hinted;
  hinted.range = {At(500) + 1, kPageSize};
  hinted.flags = MapFlags::kPrivate;
  EXPECT_EQ(space.region->Map(hinted).value(), At(501));
  EXPECT_EQ(space.region->Map(hinted).value(), At(981));  // taken
  hinted.flags = MapFlags::kPrivate | MapFlags::kFixed;
  EXPECT_EQ(space.region->Map(hinted).error(), Errno::kEINVAL);
  hinted.range.base = At(501);
  EXPECT_EQ(space.region->Map(hinted).error(), Errno::kEEXIST);
  EXPECT_LT(space.Map(0, 3, kReadWrite, MapFlags::kPrivate | MapFlags::kLow).value(), 0x8000'0000u);
  EXPECT_EQ(space.Map(0x1000, 1).error(), Errno::kEPERM);
  EXPECT_EQ(space.Map(hal::GetUserLayout().highest, 1).error(), Errno::kENOMEM);
  EXPECT_EQ(space.Map(0, uint64_t{1} << 40).error(), Errno::kENOMEM);
  Mapping huge;
  huge.range = {0, UINT64_MAX};
  huge.flags = MapFlags::kPrivate;
  EXPECT_EQ(space.region->Map(huge).error(), Errno::kENOMEM);
  huge.range.size = 0;
  EXPECT_EQ(space.region->Map(huge).error(), Errno::kEINVAL);
}

TEST_P(RegionMapTest, WhatBelongsToTheMachineStays) {
  Space space;
  const hal::UserLayout& layout = hal::GetUserLayout();
  EXPECT_TRUE(HasAny(space.region->Find(layout.vdso.base)->flags, MapFlags::kVdso));
  EXPECT_FALSE(space.region->Protect(layout.vdso, kReadWrite).ok());
  EXPECT_FALSE(space.region->Find(layout.reserved.base).has_value());
  EXPECT_EQ(space.Map(layout.reserved.base, 1).error(), Errno::kENOMEM);
  EXPECT_EQ(space.Map(layout.reserved.base - kPageSize, 2).error(), Errno::kENOMEM);
  EXPECT_EQ(space.region->Remap(layout.vdso, 3 * kPageSize, kRemapMayMove, 0).error(),
            Errno::kEINVAL);
  EXPECT_EQ(space.region->HandleFault(layout.reserved.base, Access::kRead).error(), Errno::kEFAULT);
  ASSERT_TRUE(space.region->Clear().ok());
  EXPECT_TRUE(space.region->Find(layout.vdso.base).has_value());
}

TEST_P(RegionMapTest, TheVdsoCanBeUnmapped) {
  Space space;
  const hal::UserLayout& layout = hal::GetUserLayout();
  EXPECT_TRUE(space.region->has_vdso());
  ASSERT_TRUE(space.region->Unmap({layout.vdso.base, kPageSize}).ok());
  EXPECT_FALSE(space.region->has_vdso());
  EXPECT_FALSE(space.region->Find(layout.vdso.base).has_value());
  EXPECT_TRUE(space.region->Find(layout.vdso.base + kPageSize).has_value());
  EXPECT_TRUE(space.Map(layout.vdso.base, 2).ok());
  EXPECT_FALSE(HasAny(space.region->Find(layout.vdso.base)->flags, MapFlags::kVdso));
  EXPECT_FALSE(space.region->has_vdso());
}

TEST_P(RegionMapTest, Limits) {
  Space space;
  const uint64_t used = space.region->totals().total_bytes;
  space.region->SetLimits(used + 10 * kPageSize, 5 * kPageSize);
  EXPECT_EQ(space.Map(At(0), 6).error(), Errno::kENOMEM);
  EXPECT_TRUE(space.Map(At(0), 6, Access::kRead).ok());
  EXPECT_TRUE(space.region->Protect(Pages(0, 5), kReadWrite).ok());
  EXPECT_EQ(space.region->Protect(Pages(5, 1), kReadWrite).error(), Errno::kENOMEM);
  EXPECT_EQ(space.Map(At(20), 5, Access::kRead).error(), Errno::kENOMEM);
  EXPECT_TRUE(space.Map(At(0), 6, Access::kRead).ok());  // replaces
  EXPECT_EQ(space.region->Remap(Pages(0, 6), 20 * kPageSize, kRemapMayMove, 0).error(),
            Errno::kENOMEM);
}

TEST_P(RegionMapTest, RemapGrowsInPlaceOrMoves) {
  Space space;
  space.region->SetMmapBase(At(5000));
  space.Map(At(0), 4).value();
  space.Write(At(0), "first");
  space.Write(At(3), "last");
  EXPECT_EQ(space.region->Remap(Pages(0, 4), 6 * kPageSize, 0, 0).value(), At(0));
  EXPECT_TRUE(space.Write(At(5), "more"));
  space.Map(At(6), 1).value();
  EXPECT_EQ(space.region->Remap(Pages(0, 6), 10 * kPageSize, 0, 0).error(), Errno::kENOMEM);
  EXPECT_EQ(space.region->Remap(Pages(0, 6), 10 * kPageSize, kRemapMayMove, 0).value(), At(4990));
  EXPECT_EQ(space.Read(At(4990), 5), "first");
  EXPECT_EQ(space.Read(At(4993), 4), "last");
  EXPECT_EQ(space.Read(At(4995), 4), "more");
  EXPECT_EQ(space.Read(At(4999)), std::string(1, '\0'));
  EXPECT_EQ(space.Read(At(0)), "!");
  // Shrinking.
  EXPECT_EQ(space.region->Remap(Pages(4990, 10), 2 * kPageSize, 0, 0).value(), At(4990));
  EXPECT_EQ(space.Read(At(4992)), "!");
  // A part, to a fixed place.
  EXPECT_EQ(
      space.region->Remap(Pages(4990, 1), kPageSize, kRemapMayMove | kRemapFixed, At(6)).value(),
      At(6));
  EXPECT_EQ(space.Read(At(6), 5), "first");
  EXPECT_EQ(space.Read(At(4990)), "!");
  EXPECT_EQ(space.Read(At(4991)), std::string(1, '\0'));
}

TEST_P(RegionMapTest, RemapErrors) {
  Space space;
  space.Map(At(0), 4).value();
  const auto remap = [&](hal::VirtRange range, uint64_t pages, uint32_t flags, vaddr_t to) {
    return space.region->Remap(range, pages * kPageSize, flags, to).error();
  };
  EXPECT_EQ(remap(Pages(0, 4), 8, 16, 0), Errno::kEINVAL);
  EXPECT_EQ(remap(Pages(0, 4), 8, kRemapFixed, At(50)), Errno::kEINVAL);
  EXPECT_EQ(remap(Pages(0, 4), 0, 0, 0), Errno::kEINVAL);
  EXPECT_EQ(remap({At(0) + 1, kPageSize}, 8, 0, 0), Errno::kEINVAL);
  EXPECT_EQ(remap(Pages(9, 4), 8, kRemapMayMove, 0), Errno::kEFAULT);
  EXPECT_EQ(remap(Pages(2, 4), 8, kRemapMayMove, 0), Errno::kEFAULT);
  EXPECT_EQ(remap(Pages(0, 4), 4, kRemapMayMove | kRemapFixed, At(3)), Errno::kEINVAL);
  EXPECT_EQ(remap(Pages(0, 0), 4, kRemapMayMove, 0), Errno::kEINVAL);
  EXPECT_EQ(remap(Pages(0, 4), 8, kRemapMayMove | kRemapDontUnmap, 0), Errno::kEINVAL);
}

TEST_P(RegionMapTest, RemapOfSharedMemory) {
  Space space;
  space.region->SetMmapBase(At(5000));
  RefPtr<VmObject> file = MakeFile("hello", 8 * kPageSize);
  space.Map(At(0), 2, kReadWrite, MapFlags::kNone, file).value();
  EXPECT_EQ(space.region->Remap(Pages(0, 2), 4 * kPageSize, 0, 0).value(), At(0));
  EXPECT_TRUE(space.Write(At(3), "x"));
  EXPECT_EQ(ReadFile(*file, 3 * kPageSize, 1), "x");
  const vaddr_t second = space.region->Remap({At(1), 0}, 3 * kPageSize, kRemapMayMove, 0).value();
  EXPECT_EQ(second, At(4997));
  EXPECT_EQ(space.Read(second + 2 * kPageSize), "x");
  EXPECT_EQ(
      space.region->Remap(Pages(0, 4), 8 * kPageSize, kRemapMayMove | kRemapFixed, At(100)).value(),
      At(100));
  EXPECT_EQ(space.Read(At(100), 5), "hello");
  EXPECT_EQ(space.Read(At(0)), "!");
}

TEST_P(RegionMapTest, RemapMayKeepTheOldRange) {
  Space space;
  RefPtr<VmObject> file = MakeFile("file", 2 * kPageSize);
  space.Map(At(0), 2).value();
  space.Map(At(2), 2, kReadWrite, MapFlags::kPrivate, file).value();
  space.Write(At(0), "moved");
  space.Write(At(2), "F");
  const uint32_t flags = kRemapMayMove | kRemapDontUnmap | kRemapFixed;
  EXPECT_EQ(space.region->Remap(Pages(0, 2), 2 * kPageSize, flags, At(10)).value(), At(10));
  EXPECT_EQ(space.region->Remap(Pages(2, 2), 2 * kPageSize, flags, At(20)).value(), At(20));
  EXPECT_EQ(space.Read(At(10), 5), "moved");
  EXPECT_EQ(space.Read(At(0), 5), std::string(5, '\0'));
  EXPECT_EQ(space.Read(At(20), 4), "File");
  EXPECT_EQ(space.Read(At(2), 4), "file");
  EXPECT_TRUE(space.Write(At(0), "again"));
  EXPECT_EQ(space.Read(At(10), 5), "moved");
}

TEST_P(RegionMapTest, GrowingAMappingDoesNotShowAnothersPages) {
  Space space;
  space.Map(At(0), 6).value();
  space.Write(At(2), "secret");
  space.Write(At(4), "other");
  // The middle moves away, its place is taken again from the left.
  ASSERT_TRUE(
      space.region->Remap(Pages(2, 2), 2 * kPageSize, kRemapMayMove | kRemapFixed, At(50)).ok());
  ASSERT_EQ(space.region->Remap(Pages(0, 2), 4 * kPageSize, 0, 0).value(), At(0));
  EXPECT_EQ(space.Read(At(2), 6), std::string(6, '\0'));
  EXPECT_TRUE(space.Write(At(2), "mine"));
  EXPECT_EQ(space.Read(At(50), 6), "secret");
  EXPECT_EQ(space.Read(At(4), 5), "other");
}

}  // namespace
}  // namespace zrun::region_test
