#pragma once
// Guest memory to test regions with.
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "hal/fake/fake.h"
#include "objects/boot_for_test.h"
#include "objects/vm/linux_memory.h"
#include "objects/vm/private_pages.h"
#include "objects/vm/user_memory.h"
#include "objects/vm/vm_address_region.h"

namespace zrun::region_test {

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

inline RefPtr<VmObject> MakeFile(std::string_view text, uint64_t size) {
  RefPtr<VmObject> file = VmObject::CreateAnonymous(size).value();
  EXPECT_TRUE(file->Write(0, std::as_bytes(std::span(text))).ok());
  return file;
}
inline std::string ReadFile(VmObject& file, uint64_t offset, size_t size) {
  std::string text(size, '?');
  EXPECT_TRUE(file.Read(offset, std::as_writable_bytes(std::span(text))).ok());
  return text;
}

// One suite a file: its name is the file's own.
class RegionTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override { UseSparseRam(GetParam()); }
  void TearDown() override {
    hal::fake::EnterSpace(nullptr);
    UseSparseRam(false);
  }
};

}  // namespace zrun::region_test
