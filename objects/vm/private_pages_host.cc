// Private pages on machines whose host keeps them.
#include <algorithm>

#include "hal/host_pages.h"
#include "objects/vm/region_internal.h"

namespace zrun::private_pages {

using hal::Access;
using hal::PhysRange;
using hal::VirtRange;

const bool kMapsAhead = true;

Result<void> Map(hal::AddressSpace& space, VmMapping& mapping) {
  if (mapping.is_anonymous()) {
    const VirtRange rest{mapping.base() + mapping.populated, mapping.size() - mapping.populated};
    if (rest.size > 0) TRY(hal::MapPrivateZero(space, rest, mapping.info.access));
    mapping.populated = mapping.size();
    return {};
  }
  if (IsVast(mapping)) return Errno::kEAGAIN;
  while (mapping.populated < mapping.size()) {
    PhysRange frames[16];
    const auto got = TRY(
        mapping.info.object->GetFrames(mapping.info.object_offset + mapping.populated,
                                       mapping.size() - mapping.populated, Access::kRead, frames));
    TRY(hal::MapPrivateCopy(space, mapping.base() + mapping.populated, {frames, got.count},
                            mapping.info.access));
    mapping.populated += got.bytes;
  }
  return {};
}

void Forget(VmMapping&, VirtRange) {}

Result<void> Protect(hal::AddressSpace& space, VmMapping& mapping, Access access) {
  if (mapping.populated == 0) return {};
  return space.Protect({mapping.base(), mapping.populated}, access);
}

namespace {

// The host moves one of its own areas at a time, and only it knows where they end.
Result<void> MovePieces(hal::AddressSpace& space, VirtRange from, hal::vaddr_t to) {
  auto moved = hal::MoveRange(space, from, to);
  if (moved.ok() || moved.error() != Errno::kEFAULT || from.size <= hal::kPageSize) return moved;
  const uint64_t half = hal::RoundUp(from.size / 2);
  TRY(MovePieces(space, {from.base, half}, to));
  return MovePieces(space, {from.base + half, from.size - half}, to + half);
}

}  // namespace

Result<void> Move(hal::AddressSpace& space, VmMapping& from, VmMapping& to) {
  if (from.populated > 0) TRY(MovePieces(space, {from.base(), from.populated}, to.base()));
  to.populated = from.populated;
  from.populated = 0;
  return Map(space, to);
}

bool Join(VmMapping&, VmMapping&) { return true; }

Result<void> Grow(hal::AddressSpace&, VmMapping&, uint64_t) { return {}; }

Result<void> Advise(hal::AddressSpace& space, VmMapping& mapping, VirtRange part, int advice) {
  const hal::vaddr_t end = std::min(part.end(), mapping.base() + mapping.populated);
  if (part.base >= end) return {};
  return hal::AdvisePrivate(space, {part.base, end - part.base}, advice);
}

Result<void> HandleFault(hal::AddressSpace& space, VmMapping& mapping, hal::vaddr_t address,
                         Access) {
  const uint64_t offset = hal::RoundDown(address) - mapping.base();
  if (offset < mapping.populated) return {};  // another thread was here first
  auto mapped = Map(space, mapping);
  if (offset < mapping.populated) return {};
  return mapped;
}

Result<void> Residency(hal::AddressSpace& space, VmMapping& mapping, VirtRange part,
                       std::span<uint8_t> out) {
  std::fill(out.begin(), out.end(), uint8_t{0});
  const hal::vaddr_t end = std::min(part.end(), mapping.base() + mapping.populated);
  if (part.base >= end) return {};
  return hal::ResidentPages(space, {part.base, end - part.base},
                            out.first((end - part.base) / hal::kPageSize));
}

void UnmapObject(hal::AddressSpace& space, VmMapping& mapping, VirtRange part, bool even_copies) {
  if (!even_copies) return;  // the host shows the frames, which are zeros now
  // There is nobody to report an error to; the host only fails to unmap what is not there.
  static_cast<void>(space.Unmap(part));
  mapping.populated = std::min(mapping.populated, part.base - mapping.base());
}

Result<void> ForkMapping(hal::AddressSpace&, VmMapping& parent, VmMapping& child) {
  child.populated = parent.populated;
  return {};
}

Result<ForkedSpace> ForkSpace(hal::AddressSpace& current, hal::ThreadStart start) {
  hal::ForkedSpace forked = TRY(hal::ForkAddressSpace(current, start));
  return ForkedSpace{std::move(forked.space), forked.thread};
}

}  // namespace zrun::private_pages
