// Runs over both bodies of private pages.
#include "objects/vm/vm_address_region.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "hal/fake/fake.h"
#include "objects/boot_for_test.h"
#include "objects/task/thread.h"
#include "objects/vm/linux_memory.h"
#include "objects/vm/private_pages.h"
#include "objects/vm/user_memory.h"

namespace zrun {
namespace {

using hal::Access;
using hal::kPageSize;
using hal::vaddr_t;

constexpr Access kReadWrite = Access::kRead | Access::kWrite;
constexpr vaddr_t kBase = 0x10'0000'0000;

class Space {
 public:
  Space() : Space(VmAddressRegion::Create(hal::CreateAddressSpace().value()).value()) {}
  explicit Space(RefPtr<VmAddressRegion> of) : region(std::move(of)), memory(*region) { Enter(); }
  void Enter() { hal::fake::EnterSpace(&region->space()); }
  // At |base| if that is not 0.
  Result<vaddr_t> Map(vaddr_t base, uint64_t pages, Access access = kReadWrite,
                      MapFlags flags = MapFlags::kPrivate, RefPtr<VmObject> object = nullptr,
                      uint64_t offset = 0) {
    Mapping mapping;
    mapping.range = {base, pages * kPageSize};
    mapping.object = std::move(object);
    mapping.object_offset = offset;
    mapping.access = access;
    mapping.flags = flags | (base ? MapFlags::kFixed | MapFlags::kReplace : MapFlags::kNone);
    return region->Map(std::move(mapping));
  }
  bool Write(vaddr_t address, std::string_view text) {
    return memory.WriteAll(UserPtr<std::byte>(address), std::as_bytes(std::span(text))).ok();
  }
  // "!" where it faults.
  std::string Read(vaddr_t address, size_t size = 1) {
    std::string text(size, '?');
    auto read =
        memory.ReadAll(std::as_writable_bytes(std::span(text)), UserPtr<std::byte>(address));
    return read.ok() ? text : "!";
  }
  // "base-end access flags" of each mapping, in pages from kBase.
  std::string Show() {
    std::string text;
    for (vaddr_t at = kBase;;) {
      const auto mapping = region->FindFrom(at);
      if (!mapping || mapping->range.base > kBase + 0x1000'0000) return text;
      at = mapping->range.end();
      if (!text.empty()) text += ' ';
      text += std::to_string((mapping->range.base - kBase) / kPageSize) + "-" +
              std::to_string((at - kBase) / kPageSize);
      if (HasAny(mapping->access, Access::kRead)) text += 'r';
      if (HasAny(mapping->access, Access::kWrite)) text += 'w';
      if (HasAny(mapping->access, Access::kExecute)) text += 'x';
    }
  }
  RefPtr<VmAddressRegion> region;
  UserMemory memory;
};

constexpr vaddr_t At(uint64_t page) { return kBase + page * kPageSize; }
constexpr hal::VirtRange Pages(uint64_t first, uint64_t count) {
  return {At(first), count * kPageSize};
}

RefPtr<VmObject> MakeFile(std::string_view text, uint64_t size) {
  RefPtr<VmObject> file = VmObject::CreateAnonymous(size).value();
  EXPECT_TRUE(file->Write(0, std::as_bytes(std::span(text))).ok());
  return file;
}
std::string ReadFile(VmObject& file, uint64_t offset, size_t size) {
  std::string text(size, '?');
  EXPECT_TRUE(file.Read(offset, std::as_writable_bytes(std::span(text))).ok());
  return text;
}

class RegionTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override { UseSparseRam(GetParam()); }
  void TearDown() override {
    hal::fake::EnterSpace(nullptr);
    UseSparseRam(false);
  }
};
INSTANTIATE_TEST_SUITE_P(Ram, RegionTest,
                         private_pages::kMapsAhead ? testing::Values(true) : testing::Values(false),
                         [](const auto& test) { return test.param ? "Sparse" : "Real"; });

TEST_P(RegionTest, AnonymousMemoryIsZeroAndStaysApart) {
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

TEST_P(RegionTest, UnmapSplits) {
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

TEST_P(RegionTest, ProtectSplitsAndJoins) {
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

TEST_P(RegionTest, NeighboursJoin) {
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

TEST_P(RegionTest, MemoryGrowsInOnePiece) {
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

TEST_P(RegionTest, Placement) {
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

TEST_P(RegionTest, WhatBelongsToTheMachineStays) {
  Space space;
  const hal::UserLayout& layout = hal::GetUserLayout();
  EXPECT_TRUE(HasAny(space.region->Find(layout.vdso.base)->flags, MapFlags::kVdso));
  EXPECT_EQ(space.region->Unmap(layout.vdso).error(), Errno::kEINVAL);
  EXPECT_EQ(space.Map(layout.vdso.base, 1).error(), Errno::kEINVAL);
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

TEST_P(RegionTest, Limits) {
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

TEST_P(RegionTest, SharedMappingsReachTheObject) {
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

TEST_P(RegionTest, TruncationTakesPagesFromAllMappings) {
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

TEST_P(RegionTest, HolesAreSeenByAllMappings) {
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

TEST_P(RegionTest, PrivateFileMappings) {
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

TEST_P(RegionTest, SourcesAreReadOnFault) {
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

TEST_P(RegionTest, RemapGrowsInPlaceOrMoves) {
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

TEST_P(RegionTest, RemapErrors) {
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

TEST_P(RegionTest, RemapOfSharedMemory) {
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

TEST_P(RegionTest, RemapMayKeepTheOldRange) {
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

TEST_P(RegionTest, GrowingAMappingDoesNotShowAnothersPages) {
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

TEST_P(RegionTest, Advice) {
  Space space;
  space.Map(At(0), 4).value();
  space.Write(At(1), "x");
  EXPECT_EQ(space.region->Advise(Pages(0, 4), 77).error(), Errno::kEINVAL);
  EXPECT_EQ(space.region->Advise({At(0) + 1, 1}, kAdviseNormal).error(), Errno::kEINVAL);
  EXPECT_EQ(space.region->Advise(Pages(0, 1), kAdviseHardwarePoison).error(), Errno::kEPERM);
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

TEST_P(RegionTest, PopulateAndResidency) {
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

TEST_P(RegionTest, StacksGrow) {
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

// ---- fork

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

TEST_P(RegionTest, ForkCopiesOnWrite) {
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

TEST_P(RegionTest, ForkOfForks) {
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

TEST_P(RegionTest, ForkObeysAdvice) {
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

TEST_P(RegionTest, ForkGivesFramesBack) {
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

TEST_P(RegionTest, RandomOperationsAgainstAModel) {
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
TEST_P(RegionTest, ManyThreads) {
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

TEST_P(RegionTest, UserMemoryStringsAndWords) {
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
}  // namespace zrun
