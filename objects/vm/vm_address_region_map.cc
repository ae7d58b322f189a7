// mmap, munmap, mprotect, mlock.
#include <algorithm>

#include "objects/vm/region_internal.h"

namespace zrun {

constinit std::atomic<uint32_t> max_mappings{kUsualMaxMappings};

using hal::Access;
using hal::vaddr_t;
using hal::VirtRange;

namespace {

constexpr vaddr_t kLowBase = 0x4000'0000, kLowEnd = 0x8000'0000;  // MAP_32BIT
constexpr MapFlags kPlacement = MapFlags::kFixed | MapFlags::kReplace | MapFlags::kLow;

bool CountsAsData(const Mapping& mapping) {
  return HasAny(mapping.flags, MapFlags::kPrivate) && HasAny(mapping.access, Access::kWrite) &&
         !HasAny(mapping.flags, MapFlags::kGrowsDown);
}

// Whether making the translations of |mapping| replaces all that was in its range.
bool CoversAll(const VmMapping& mapping) {
  if (!private_pages::kMapsAhead) return false;
  if (mapping.is_anonymous()) return true;
  const VmObject& object = *mapping.info.object;
  if (IsVast(mapping) || object.has_source() ||
      (!mapping.is_private() && mapping.info.access == Access::kNone))
    return false;
  const uint64_t end = hal::RoundUp(object.size());
  return mapping.info.object_offset <= end && mapping.size() <= end - mapping.info.object_offset;
}

// A reservation of address space may lie across the machine's hole, which stays closed as well:
// sanitizers reserve all that they do not use.
bool ReservesHole(const Mapping& mapping) {
  const hal::UserLayout& layout = hal::GetUserLayout();
  return HasAny(mapping.flags, MapFlags::kFixed) && (mapping.range.base & hal::kPageMask) == 0 &&
         mapping.access == Access::kNone && !mapping.object &&
         mapping.range.size <= layout.highest && mapping.range.base <= layout.highest &&
         Overlaps(mapping.range, layout.reserved);
}

// mmap, munmap and mprotect round sizes up; false if that overflows.
bool RoundSize(VirtRange& range) {
  if (range.size > UINT64_MAX - hal::kPageMask) return false;
  range.size = hal::RoundUp(range.size);
  return range.size <= UINT64_MAX - range.base;
}

}  // namespace

Result<vaddr_t> VmAddressRegion::Place(const Mapping& mapping) {
  const hal::UserLayout& layout = hal::GetUserLayout();
  const auto [base, size] = mapping.range;
  if (size > layout.highest - layout.lowest) return Errno::kENOMEM;
  const bool low = HasAny(mapping.flags, MapFlags::kLow);
  if (HasAny(mapping.flags, MapFlags::kFixed)) {
    if (base & hal::kPageMask) return Errno::kEINVAL;
    if (base > layout.highest - size) return Errno::kENOMEM;
    if (base < layout.lowest) return Errno::kEPERM;
    if (HasAny(mapping.flags, MapFlags::kReplace)) {
      if (Overlaps(mapping.range, layout.reserved)) return Errno::kENOMEM;
    } else if (!IsFree(mapping.range)) {
      return Errno::kEEXIST;
    }
    return base;
  }
  const vaddr_t highest = low ? std::min(layout.highest, kLowEnd) : layout.highest;
  const vaddr_t hint = base > UINT64_MAX - hal::kPageMask ? 0 : hal::RoundUp(base);
  if (base != 0 && hint >= layout.lowest && hint <= highest && size <= highest - hint &&
      IsFree({hint, size})) {
    return hint;
  }
  const auto room = low ? FindRoom(size, kLowBase, highest)
                        : FindRoom(size, layout.lowest, std::min(mmap_base_, highest));
  if (room) return *room;
  if (const auto above = low ? std::nullopt : FindRoom(size, mmap_base_, highest)) return *above;
  return Errno::kENOMEM;
}

Result<void> VmAddressRegion::CheckLimits(const Mapping& mapping, uint64_t size,
                                          uint64_t replaced) {
  const uint64_t total = totals_.total_bytes - replaced;
  if (size > address_space_limit_ || total > address_space_limit_ - size) return Errno::kENOMEM;
  if (CountsAsData(mapping) && (size > data_limit_ || totals_.data_bytes > data_limit_ - size)) {
    return Errno::kENOMEM;
  }
  if (totals_.mappings >= max_mappings.load(std::memory_order_relaxed)) return Errno::kENOMEM;
  return {};
}

Result<vaddr_t> VmAddressRegion::Map(Mapping mapping) {
  if (mapping.range.size == 0) return Errno::kEINVAL;
  if (mapping.range.size > UINT64_MAX - hal::kPageMask) return Errno::kENOMEM;
  mapping.range.size = hal::RoundUp(mapping.range.size);
  if (!mapping.object && !HasAny(mapping.flags, MapFlags::kPrivate)) return Errno::kEINVAL;
  if (mapping.object_offset & hal::kPageMask) return Errno::kEINVAL;
  if (mapping.range.size > UINT64_MAX - mapping.object_offset) return Errno::kEOVERFLOW;
  if (!HasAll(mapping.max_access, mapping.access)) return Errno::kEACCES;
  // Reading can sleep and take any lock, so it comes first. What cannot be read is left to the
  // fault.
  if (mapping.object && private_pages::kMapsAhead)
    static_cast<void>(mapping.object->FillPages(mapping.object_offset, mapping.range.size));
  Dead dead;
  MutexLock lock(lock_);
  if (!ReservesHole(mapping)) return MapLocked(mapping, dead);
  const VirtRange hole = hal::GetUserLayout().reserved, range = mapping.range;
  Mapping parts[] = {mapping, mapping};  // below it and above
  parts[0].range.size = hole.base - std::min(hole.base, range.base);
  parts[1].range.base = std::max(hole.end(), range.base);
  parts[1].range.size = range.end() - std::min(range.end(), parts[1].range.base);
  for (const Mapping& part : parts)
    if (part.range.size > 0) TRY(Place(part));
  for (Mapping& part : parts)
    if (part.range.size > 0) TRY(MapLocked(part, dead));
  return range.base;
}

Result<vaddr_t> VmAddressRegion::MapLocked(Mapping& mapping, Dead& dead) {
  mapping.range.base = TRY(Place(mapping));
  const VirtRange range = mapping.range;
  uint64_t replaced = 0;
  for (VmMapping* old = FirstAfter(range.base); old && old->base() < range.end();
       old = mappings_.Next(*old)) {
    replaced += PartOf(*old, range).size;
  }
  if (replaced > 0 && IsSealed(range)) return Errno::kEPERM;
  TRY(CheckLimits(mapping, range.size, replaced));

  OwnPtr<VmMapping> owned = TRY(MakeOwned<VmMapping>(*this));
  VmMapping& fresh = *owned;
  fresh.info = mapping;
  fresh.info.flags = fresh.info.flags & ~kPlacement;
  if (replaced > 0) {
    if (CoversAll(fresh)) {
      TRY(SplitAround(range));
      for (VmMapping* old = FirstAfter(range.base); old && old->base() < range.end();
           old = FirstAfter(range.base)) {
        private_pages::Forget(*old, old->info.range);
        Erase(*old, dead);
      }
    } else {
      TRY(UnmapLocked(range, dead));
    }
  }
  Result<void> mapped = Insert(owned);
  if (mapped.ok()) {
    mapped =
        fresh.is_private() ? private_pages::Map(*space_, fresh) : shared_pages::Map(*space_, fresh);
    if (!mapped.ok() && !IsLater(mapped)) Erase(fresh, dead);
  }
  if (!mapped.ok() && !IsLater(mapped)) {
    static_cast<void>(space_->Unmap(range));  // what is left of either
    return mapped.error();
  }
  Join(range, dead);
  return range.base;
}

Result<void> VmAddressRegion::Unmap(VirtRange range) {
  if ((range.base & hal::kPageMask) || range.size == 0 || !RoundSize(range)) return Errno::kEINVAL;
  if (range.end() > hal::GetUserLayout().highest) return Errno::kEINVAL;
  Dead dead;
  MutexLock lock(lock_);
  return UnmapLocked(range, dead);
}

Result<void> VmAddressRegion::UnmapLocked(VirtRange range, Dead& dead) {
  if (IsSealed(range)) return Errno::kEPERM;
  // What is taken from the middle of one leaves two.
  if (const VmMapping* const around = Containing(range.base);
      around && around->base() < range.base && range.end() < around->end() &&
      totals_.mappings >= max_mappings.load(std::memory_order_relaxed))
    return Errno::kENOMEM;
  TRY(SplitAround(range));
  VmMapping* first = FirstAfter(range.base);
  while (first && first->base() < range.end()) {
    if (first->hidden) {
      first = mappings_.Next(*first);
      continue;
    }
    // Neighbours go in one call.
    VirtRange run = first->info.range;
    VmMapping* last = mappings_.Next(*first);
    while (last && !last->hidden && last->base() == run.end() && last->base() < range.end()) {
      run.size += last->size();
      last = mappings_.Next(*last);
    }
    TRY(space_->Unmap(run));
    while (first != last) {
      VmMapping* next = mappings_.Next(*first);
      private_pages::Forget(*first, first->info.range);
      Erase(*first, dead);
      first = next;
    }
  }
  return {};
}

Result<void> VmAddressRegion::Protect(VirtRange range, Access access) {
  if (range.base & hal::kPageMask) return Errno::kEINVAL;
  if (!RoundSize(range)) return Errno::kENOMEM;
  Dead dead;
  MutexLock lock(lock_);
  Result<void> result;
  vaddr_t at = range.base;
  while (at < range.end()) {
    VmMapping* mapping = Containing(at);
    result = !mapping || mapping->hidden                 ? Errno::kENOMEM
             : mapping->is_fixture()                     ? Errno::kEACCES
             : IsSealed(mapping->info.range)             ? Errno::kEPERM
             : !HasAll(mapping->info.max_access, access) ? Errno::kEACCES
                                                         : Result<void>();
    if (!result.ok()) break;
    const VirtRange part = PartOf(*mapping, range);
    at = part.end();
    if (mapping->info.access == access) continue;
    Mapping changed = mapping->info;
    changed.access = access;
    if (CountsAsData(changed) && !CountsAsData(mapping->info)) {
      const bool fits = part.size <= data_limit_ && totals_.data_bytes <= data_limit_ - part.size;
      if (!fits) result = Errno::kENOMEM;
    }
    if (result.ok()) result = SplitAround(part);
    if (!result.ok()) break;
    mapping = Containing(part.base);
    result = mapping->is_private() ? private_pages::Protect(*space_, *mapping, access)
                                   : shared_pages::Protect(*space_, *mapping, access);
    if (!result.ok()) break;
    Modify(*mapping, [&](Mapping& info) { info.access = access; });
  }
  Join(range, dead);
  return result;
}

// ENOMEM if there is a hole, after the change of the rest.
Result<void> VmAddressRegion::ChangeFlags(VirtRange range, MapFlags clear, MapFlags set,
                                          bool private_only, Dead& dead) {
  Result<void> result;
  vaddr_t at = range.base;
  while (at < range.end()) {
    VmMapping* mapping = FirstAfter(at);
    if (!mapping || mapping->base() >= range.end()) {
      result = Errno::kENOMEM;
      break;
    }
    if (mapping->base() > at || mapping->hidden) result = Errno::kENOMEM;
    const VirtRange part = PartOf(*mapping, range);
    at = part.end();
    if (mapping->is_fixture()) continue;
    if (private_only && !mapping->is_anonymous()) {
      result = Errno::kEINVAL;
      break;
    }
    if (((mapping->info.flags & ~clear) | set) == mapping->info.flags) continue;
    TRY(SplitAround(part));
    Modify(*Containing(part.base),
           [&](Mapping& info) { info.flags = (info.flags & ~clear) | set; });
  }
  Join(range, dead);
  return result;
}

Result<void> VmAddressRegion::SetLocked(VirtRange range, bool locked) {
  range.size += range.base & hal::kPageMask;
  range.base = hal::RoundDown(range.base);
  if (!RoundSize(range)) return Errno::kEINVAL;
  Dead dead;
  MutexLock lock(lock_);
  const MapFlags none = MapFlags::kNone;
  return locked ? ChangeFlags(range, none, MapFlags::kLocked, false, dead)
                : ChangeFlags(range, MapFlags::kLocked, none, false, dead);
}

bool VmAddressRegion::IsSealed(VirtRange range) {
  for (VmMapping* mapping = FirstAfter(range.base); mapping && mapping->base() < range.end();
       mapping = mappings_.Next(*mapping))
    if (HasAny(mapping->info.flags, MapFlags::kSealed)) return true;
  return false;
}

Result<void> VmAddressRegion::Seal(VirtRange range) {
  if ((range.base & hal::kPageMask) || !RoundSize(range)) return Errno::kEINVAL;
  Dead dead;
  MutexLock lock(lock_);
  for (vaddr_t at = range.base; at < range.end();) {
    VmMapping* mapping = Containing(at);
    if (!mapping || mapping->hidden) return Errno::kENOMEM;
    at = mapping->end();
  }
  return ChangeFlags(range, MapFlags::kNone, MapFlags::kSealed, false, dead);
}

Result<void> VmAddressRegion::Clear() {
  Dead dead;
  MutexLock lock(lock_);
  TRY(space_->UnmapAll());
  for (VmMapping* mapping = mappings_.First(); mapping;) {
    VmMapping* next = mappings_.Next(*mapping);
    if (!mapping->is_fixture()) Erase(*mapping, dead);
    mapping = next;
  }
  landmarks_ = {};
  mmap_base_ = hal::GetUserLayout().highest;
  return {};
}

}  // namespace zrun
