#pragma once
// Shared by the files of VmAddressRegion, and by nobody else.
#include "objects/vm/map_limit.h"
#include "objects/vm/private_pages.h"
#include "objects/vm/vm_address_region.h"
#include "objects/vm/vm_mapping.h"

namespace zrun {

class VmAddressRegion::Dead {
 public:
  ~Dead() {
    while (VmMapping* mapping = list_.PopFront()) delete mapping;
  }
  void Add(VmMapping& mapping) { list_.PushBack(mapping); }

 private:
  IntrusiveList<VmMapping, MappingListTag> list_;
};

template <typename Change>
void VmAddressRegion::Modify(VmMapping& mapping, Change change) {
  Count(mapping, false);
  change(mapping.info);
  Count(mapping, true);
}

// Too much to make all translations of ahead of use, where they are: most of it may be holes.
inline bool IsVast(const VmMapping& mapping) {
  constexpr uint64_t kVast = uint64_t{1} << 30;
  return private_pages::kMapsAhead && mapping.info.object && !mapping.info.object->is_physical() &&
         mapping.size() - mapping.populated > kVast;
}

constexpr bool Overlaps(hal::VirtRange a, hal::VirtRange b) {
  return a.base < b.end() && b.base < a.end();
}
// The part of |range| that the mapping has.
inline hal::VirtRange PartOf(const VmMapping& mapping, hal::VirtRange range) {
  const hal::vaddr_t base = mapping.base() > range.base ? mapping.base() : range.base;
  const hal::vaddr_t end = mapping.end() < range.end() ? mapping.end() : range.end();
  return {base, end - base};
}

}  // namespace zrun
