// mremap.
#include <algorithm>

#include "objects/vm/linux_memory.h"
#include "objects/vm/region_internal.h"

namespace zrun {

using hal::vaddr_t;
using hal::VirtRange;

Result<vaddr_t> VmAddressRegion::Remap(VirtRange old_range, uint64_t new_size, uint32_t flags,
                                       vaddr_t new_address) {
  const bool may_move = flags & kRemapMayMove;
  const bool fixed = flags & kRemapFixed;
  const bool dont_unmap = flags & kRemapDontUnmap;
  if (flags & ~uint32_t{kRemapMayMove | kRemapFixed | kRemapDontUnmap}) return Errno::kEINVAL;
  if ((fixed || dont_unmap) && !may_move) return Errno::kEINVAL;
  if (old_range.base & hal::kPageMask) return Errno::kEINVAL;
  const uint64_t limit = hal::GetUserLayout().highest;
  if (old_range.size > limit || new_size > limit)
    return new_size > limit ? Errno::kENOMEM : Errno::kEINVAL;
  old_range.size = hal::RoundUp(old_range.size);
  new_size = hal::RoundUp(new_size);
  if (new_size == 0 || old_range.size > UINT64_MAX - old_range.base) return Errno::kEINVAL;
  if (dont_unmap && old_range.size != new_size) return Errno::kEINVAL;
  if (fixed) {
    if ((new_address & hal::kPageMask) || new_address > limit - new_size) return Errno::kEINVAL;
    if (Overlaps(old_range, {new_address, new_size})) return Errno::kEINVAL;
  }

  Dead dead;
  MutexLock lock(lock_);
  VmMapping* mapping = Containing(old_range.base);
  if (!mapping || mapping->hidden) return Errno::kEFAULT;
  if (mapping->is_fixture()) return Errno::kEINVAL;
  if (HasAny(mapping->info.flags, MapFlags::kSealed)) return Errno::kEPERM;
  if (old_range.size == 0) {  // a second mapping of shared memory
    if (mapping->is_private()) return Errno::kEINVAL;
    if (!may_move) return Errno::kENOMEM;
    Mapping copy = mapping->info;
    copy.object_offset = mapping->OffsetOf(old_range.base);
    copy.range = {fixed ? new_address : 0, new_size};
    if (fixed) copy.flags |= MapFlags::kFixed | MapFlags::kReplace;
    return MapLocked(copy, dead);
  }
  if (new_size < old_range.size) {
    TRY(UnmapLocked({old_range.base + new_size, old_range.size - new_size}, dead));
    old_range.size = new_size;
  }
  if (new_size == old_range.size && !fixed && !dont_unmap) return old_range.base;
  // Unmapping what was there may have changed the tree, and may take what was to be moved.
  mapping = Containing(old_range.base);
  if (!mapping || old_range.end() > mapping->end()) return Errno::kEFAULT;
  const uint64_t more = new_size - old_range.size;
  if (dont_unmap) {
    TRY(CheckLimits(mapping->info, new_size, 0));
  } else if (more > 0) {
    if (mapping->info.object && new_size > UINT64_MAX - mapping->OffsetOf(old_range.base))
      return Errno::kEINVAL;
    TRY(CheckLimits(mapping->info, more, 0));
  }
  if (!fixed && !dont_unmap && old_range.end() == mapping->end() &&
      more <= limit - mapping->end() && IsFree({mapping->end(), more})) {
    TRY(GrowLocked(*mapping, mapping->size() + more));
    Join(mapping->info.range, dead);
    return old_range.base;
  }
  if (!may_move) return Errno::kENOMEM;
  TRY(SplitAround(old_range));
  mapping = Containing(old_range.base);
  const vaddr_t target = TRY(PlaceMoved(*mapping, new_size, flags, new_address, dead));
  mapping = Containing(old_range.base);
  return MoveLocked(*mapping, {target, new_size}, dont_unmap, dead);
}

Result<vaddr_t> VmAddressRegion::PlaceMoved(const VmMapping& mapping, uint64_t size, uint32_t flags,
                                            vaddr_t new_address, Dead& dead) {
  Mapping wanted;
  wanted.range = {new_address, size};
  wanted.flags = mapping.info.flags;
  if (!(flags & kRemapFixed)) {
    if (!(flags & kRemapDontUnmap)) wanted.range.base = 0;  // only with these is it a hint
    return Place(wanted);
  }
  wanted.flags |= MapFlags::kFixed | MapFlags::kReplace;
  const vaddr_t target = TRY(Place(wanted));
  if (!IsFree(wanted.range)) TRY(UnmapLocked(wanted.range, dead));
  return target;
}

Result<void> VmAddressRegion::GrowLocked(VmMapping& mapping, uint64_t size) {
  const uint64_t old_size = mapping.size();
  if (mapping.is_private()) TRY(private_pages::Grow(*space_, mapping, size));
  Resize(mapping, size);
  auto mapped = mapping.is_private() ? private_pages::Map(*space_, mapping)
                                     : shared_pages::Map(*space_, mapping);
  if (mapped.ok() || IsLater(mapped)) return {};
  static_cast<void>(space_->Unmap({mapping.base() + old_size, size - old_size}));
  mapping.populated = std::min(mapping.populated, old_size);
  Resize(mapping, old_size);
  return mapped;
}

Result<vaddr_t> VmAddressRegion::MoveLocked(VmMapping& mapping, VirtRange target, bool keep_old,
                                            Dead& dead) {
  OwnPtr<VmMapping> owned = TRY(MakeOwned<VmMapping>(*this));
  VmMapping& moved = *owned;
  moved.info = mapping.info;
  moved.info.range = target;
  TRY(Insert(owned));
  auto result = moved.is_private() ? private_pages::Move(*space_, mapping, moved)
                                   : shared_pages::Move(*space_, mapping, moved);
  if (!result.ok() && !IsLater(result)) {
    Erase(moved, dead);
    static_cast<void>(space_->Unmap(target));
    return result.error();
  }
  const VirtRange old_range = mapping.info.range;
  if (!keep_old) {
    Erase(mapping, dead);
  } else if (mapping.is_private()) {
    auto mapped = private_pages::Map(*space_, mapping);
    if (!mapped.ok() && !IsLater(mapped)) return mapped.error();
  }
  Join(target, dead);
  Join(old_range, dead);
  return target.base;
}

}  // namespace zrun
