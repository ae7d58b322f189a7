// Private pages that the kernel keeps: a private mapping has an object of its own for what was
// written (and for all of it, if it is anonymous) over the object it maps, and fork takes a
// snapshot of that.
#include <algorithm>

#include "objects/vm/linux_memory.h"
#include "objects/vm/private_pages.h"

namespace zrun::private_pages {

using hal::Access;
using hal::kPageSize;
using hal::PhysRange;
using hal::VirtRange;

const bool kMapsAhead = false;

namespace {

uint64_t OwnOffset(const VmMapping& mapping, hal::vaddr_t address) {
  return mapping.pages_offset + (address - mapping.base());
}

bool HasOwn(const VmMapping& mapping, uint64_t own_offset) {
  if (!mapping.pages) return false;
  const auto data = mapping.pages->SeekData(own_offset, true);
  return data.ok() && data.value() == own_offset;
}

// What an error leaves unmapped is not there: nobody needs to know.
void DropTranslations(hal::AddressSpace& space, VirtRange range) {
  static_cast<void>(space.Unmap(range));
}

Result<void> MapOwn(hal::AddressSpace& space, VmMapping& mapping, hal::vaddr_t page,
                    Access access) {
  PhysRange frame[1];
  const auto got =
      TRY(mapping.pages->GetFrames(OwnOffset(mapping, page), kPageSize, access, frame));
  return space.MapShared(page, frame, mapping.info.access & got.granted);
}

// Makes room for |size| bytes where the mapping has |had|.
Result<void> Extend(VmMapping& mapping, uint64_t had, uint64_t size) {
  if (!mapping.pages) return {};
  const uint64_t begin = mapping.pages_offset, end = begin + had;
  const uint64_t object_end = mapping.pages->size();
  if (mapping.pages->ref_count() == 1) {
    // What lies behind is nobody's any more.
    if (object_end > end) TRY(mapping.pages->Decommit(end, object_end - end));
    return begin + size <= object_end ? Result<void>() : mapping.pages->Resize(begin + size);
  }
  // The object was split among mappings: what follows in it can be another's.
  const uint64_t kept = std::min(had, object_end - std::min(begin, object_end));
  RefPtr<VmObject> own = TRY(mapping.pages->Snapshot(begin, kept));
  TRY(own->Resize(size));
  static_cast<void>(mapping.pages->Decommit(begin, kept));
  mapping.pages = std::move(own);
  mapping.pages_offset = 0;
  return {};
}

// Maps the object's pages in part of a mapping as long as they are there and no hole is: nobody has
// asked for pages in holes.
void MapPresent(hal::AddressSpace& space, const VmMapping& mapping, hal::vaddr_t begin,
                hal::vaddr_t end) {
  if (begin >= end) return;
  VmObject& object = *mapping.info.object;
  const uint64_t offset = mapping.OffsetOf(begin);
  const auto hole = object.SeekData(offset, false);
  if (!hole.ok() || hole.value() <= offset) return;
  const uint64_t size = std::min(end - begin, hal::RoundUp(hole.value() - offset));
  PhysRange frames[8];
  const auto got = object.GetFrames(offset, size, Access::kRead, frames);
  if (!got.ok()) return;
  const Access access = mapping.info.access & ~Access::kWrite;
  static_cast<void>(space.MapMissing(begin, {frames, got.value().count}, access));
}

// A translation is cheaper than a fault: what lies around a page that is needed is mapped too, but
// for the mapping's own pages.
void MapAround(hal::AddressSpace& space, const VmMapping& mapping, hal::vaddr_t page) {
  constexpr uint64_t kAround = 32 * kPageSize;
  const hal::vaddr_t window = page & ~(kAround - 1);
  hal::vaddr_t end = std::min(window + kAround, mapping.end());
  if (mapping.pages) {
    const auto own = mapping.pages->SeekData(OwnOffset(mapping, page), true);
    if (own.ok()) end = std::min(end, page + (own.value() - OwnOffset(mapping, page)));
  } else {
    MapPresent(space, mapping, std::max(window, mapping.base()), page);
  }
  MapPresent(space, mapping, page + kPageSize, end);
}

}  // namespace

Result<void> Map(hal::AddressSpace&, VmMapping&) { return {}; }

void Forget(VmMapping& mapping, VirtRange part) {
  if (!mapping.pages) return;
  if (part.size == mapping.size() && mapping.pages->ref_count() == 1) {
    mapping.pages = nullptr;
    return;
  }
  // Failing leaves pages that nobody sees until the object goes.
  static_cast<void>(mapping.pages->Decommit(OwnOffset(mapping, part.base), part.size));
}

Result<void> Protect(hal::AddressSpace& space, VmMapping& mapping, Access access) {
  // What may be written is decided page by page.
  if (HasAny(access, Access::kWrite)) return space.Unmap(mapping.info.range);
  return space.Protect(mapping.info.range, access);
}

Result<void> Move(hal::AddressSpace& space, VmMapping& from, VmMapping& to) {
  DropTranslations(space, from.info.range);  // before frames change hands
  to.pages = std::move(from.pages);
  to.pages_offset = from.pages_offset;
  auto extended = to.size() > from.size() ? Extend(to, from.size(), to.size()) : Result<void>();
  if (!extended.ok()) {
    from.pages = std::move(to.pages);
    return extended;
  }
  return {};
}

bool Join(VmMapping& left, VmMapping& right) {
  if (left.pages == right.pages)
    return !left.pages || left.pages_offset + left.size() == right.pages_offset;
  // A heap that grows: nothing was written to |right| yet. What other mappings have of the object
  // is in the way.
  if (right.pages || !left.is_anonymous() || left.pages->ref_count() != 1) return false;
  const uint64_t end = left.pages_offset + left.size(), had = left.pages->size();
  if (had > end && !left.pages->Decommit(end, had - end).ok()) return false;
  return end + right.size() <= had || left.pages->Resize(end + right.size()).ok();
}

Result<void> Grow(hal::AddressSpace& space, VmMapping& mapping, uint64_t size) {
  const bool shares = mapping.pages && mapping.pages->ref_count() != 1;
  if (shares) DropTranslations(space, mapping.info.range);  // of what may get other frames
  return Extend(mapping, mapping.size(), size);
}

Result<void> Advise(hal::AddressSpace& space, VmMapping& mapping, VirtRange part, int advice) {
  if (advice != kAdviseDontNeed) return {};
  DropTranslations(space, part);
  if (!mapping.pages) return {};
  return mapping.pages->Decommit(OwnOffset(mapping, part.base), part.size);
}

Result<void> HandleFault(hal::AddressSpace& space, VmMapping& mapping, hal::vaddr_t address,
                         Access access) {
  const hal::vaddr_t page = hal::RoundDown(address);
  const bool writes = HasAny(access, Access::kWrite);
  if (!mapping.pages && (writes || mapping.is_anonymous())) {
    mapping.pages = TRY(VmObject::CreateAnonymous(mapping.size()));
    mapping.pages_offset = 0;
  }
  const uint64_t own_offset = OwnOffset(mapping, page);
  if (mapping.is_anonymous() || HasOwn(mapping, own_offset)) {
    // It may get another frame, and somebody else the one that it shared: no thread of ours may see
    // that then.
    if (writes) DropTranslations(space, {page, kPageSize});
    return MapOwn(space, mapping, page, access);
  }

  PhysRange frame[1];
  const auto got =
      TRY(mapping.info.object->GetFrames(mapping.OffsetOf(page), kPageSize, Access::kRead, frame));
  if (!writes) {
    TRY(space.MapShared(page, frame, mapping.info.access & got.granted & ~Access::kWrite));
    MapAround(space, mapping, page);
    return {};
  }
  // The frame cannot go away under us: who takes it from the object needs our region's lock.
  TRY(mapping.pages->FillHole(own_offset, {hal::PhysToVirt(frame[0].base), kPageSize}));
  return MapOwn(space, mapping, page, access);
}

Result<void> Residency(hal::AddressSpace&, VmMapping& mapping, VirtRange part,
                       std::span<uint8_t> out) {
  if (mapping.info.object) {
    TRY(shared_pages::Residency(mapping, part, out));
  } else {
    std::fill(out.begin(), out.end(), uint8_t{0});
  }
  for (size_t i = 0; i < out.size(); i++) {
    if (HasOwn(mapping, OwnOffset(mapping, part.base + i * kPageSize))) out[i] = 1;
  }
  return {};
}

void UnmapObject(hal::AddressSpace& space, VmMapping& mapping, VirtRange part, bool even_copies) {
  DropTranslations(space, part);
  if (even_copies) Forget(mapping, part);
}

Result<void> ForkMapping(hal::AddressSpace& parent_space, VmMapping& parent, VmMapping& child) {
  child.pages = nullptr;
  if (!parent.pages || HasAny(parent.info.flags, MapFlags::kWipeOnFork)) return {};
  child.pages = TRY(parent.pages->Snapshot(parent.pages_offset, parent.size()));
  child.pages_offset = 0;
  return parent_space.Protect(parent.info.range, parent.info.access & ~Access::kWrite);
}

Result<ForkedSpace> ForkSpace(hal::AddressSpace&, hal::ThreadStart start) {
  RefPtr<hal::AddressSpace> space = TRY(hal::CreateAddressSpace());
  hal::Thread* thread = TRY(hal::StartThread(space.get(), start));
  return ForkedSpace{std::move(space), thread};
}

}  // namespace zrun::private_pages
