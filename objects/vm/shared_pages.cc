#include <algorithm>

#include "objects/vm/region_internal.h"

namespace zrun::shared_pages {

using hal::Access;
using hal::PhysRange;
using hal::VirtRange;

Result<void> Map(hal::AddressSpace& space, VmMapping& mapping) {
  if (!private_pages::kMapsAhead || mapping.info.access == Access::kNone) return {};
  if (IsVast(mapping)) return Errno::kEAGAIN;
  while (mapping.populated < mapping.size()) {
    PhysRange frames[16];
    const auto got = TRY(mapping.info.object->GetFrames(
        mapping.info.object_offset + mapping.populated, mapping.size() - mapping.populated,
        mapping.info.access, frames));
    TRY(space.MapShared(mapping.base() + mapping.populated, {frames, got.count},
                        mapping.info.access & got.granted));
    mapping.populated += got.bytes;
  }
  return {};
}

Result<void> Protect(hal::AddressSpace& space, VmMapping& mapping, Access access) {
  const bool writes = HasAny(access, Access::kWrite);
  if (!private_pages::kMapsAhead) {
    // What may be written is decided page by page.
    return writes ? space.Unmap(mapping.info.range) : space.Protect(mapping.info.range, access);
  }
  for (uint64_t done = 0; writes && done < mapping.populated;) {
    PhysRange frames[16];
    const auto got = TRY(mapping.info.object->GetFrames(mapping.info.object_offset + done,
                                                        mapping.populated - done, access, frames));
    done += got.bytes;
  }
  if (mapping.populated == 0) return {};
  return space.Protect({mapping.base(), mapping.populated}, access);
}

Result<void> Move(hal::AddressSpace& space, VmMapping& from, VmMapping& to) {
  to.populated = 0;
  auto mapped = Map(space, to);
  if (!mapped.ok() && !IsLater(mapped)) return mapped;
  from.populated = 0;
  return space.Unmap(from.info.range);
}

Result<void> HandleFault(hal::AddressSpace& space, VmMapping& mapping, hal::vaddr_t address,
                         Access access) {
  const hal::vaddr_t page = hal::RoundDown(address);
  if (private_pages::kMapsAhead) {
    if (page - mapping.base() < mapping.populated) return {};  // another thread was here first
    auto mapped = Map(space, mapping);
    if (page - mapping.base() < mapping.populated) return {};
    return mapped;
  }
  constexpr uint64_t kAround = 64 * hal::kPageSize;
  const VmObject& object = *mapping.info.object;
  const uint64_t window = object.is_physical() ? kAround : hal::kPageSize;
  PhysRange frames[4];
  const auto got = TRY(mapping.info.object->GetFrames(
      mapping.OffsetOf(page), std::min(window, mapping.end() - page), access, frames));
  return space.MapShared(page, {frames, got.count}, mapping.info.access & got.granted);
}

Result<void> Residency(VmMapping& mapping, VirtRange part, std::span<uint8_t> out) {
  VmObject& object = *mapping.info.object;
  for (size_t i = 0; i < out.size(); i++) {
    const uint64_t offset = mapping.OffsetOf(part.base) + i * hal::kPageSize;
    const auto data = object.SeekData(offset, true);
    out[i] = data.ok() && data.value() == offset ? 1 : 0;
  }
  return {};
}

void UnmapObject(hal::AddressSpace& space, VmMapping& mapping, VirtRange part) {
  // There is nobody to report an error to; the machine's own tables only fail to unmap what is not
  // there.
  static_cast<void>(space.Unmap(part));
  mapping.populated = std::min(mapping.populated, part.base - mapping.base());
}

}  // namespace zrun::shared_pages
