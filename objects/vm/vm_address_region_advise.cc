// madvise, msync, mincore.
#include <algorithm>
#include <utility>

#include "objects/task/thread.h"
#include "objects/vm/linux_memory.h"
#include "objects/vm/region_internal.h"

namespace zrun {

using hal::Access;
using hal::vaddr_t;
using hal::VirtRange;

namespace {

enum class AdviceKind { kUnknown, kNothing, kPages, kFlags, kPopulate, kRemove };

AdviceKind KindOf(int advice) {
  switch (advice) {
    case kAdviseNormal:
    case kAdviseRandom:
    case kAdviseSequential:
    case kAdviseWillNeed:
    case kAdviseHugePage:
    case kAdviseNoHugePage:
    case kAdviseDontDump:
    case kAdviseDoDump:
    case kAdviseCollapse:
      return AdviceKind::kNothing;
    case kAdviseMergeable:  // as a kernel that does not merge equal pages
    case kAdviseUnmergeable:
      return AdviceKind::kUnknown;
    case kAdviseDontNeed:
    case kAdviseDontNeedLocked:
    case kAdviseFree:
    case kAdviseCold:
    case kAdvisePageOut:
      return AdviceKind::kPages;
    case kAdviseDontFork:
    case kAdviseDoFork:
    case kAdviseWipeOnFork:
    case kAdviseKeepOnFork:
      return AdviceKind::kFlags;
    case kAdvisePopulateRead:
    case kAdvisePopulateWrite:
      return AdviceKind::kPopulate;
    case kAdviseRemove:
      return AdviceKind::kRemove;
    default:
      return AdviceKind::kUnknown;
  }
}

// Advice after which the memory's contents, or a child's, are others.
bool Discards(int advice) {
  return advice == kAdviseDontNeed || advice == kAdviseDontNeedLocked || advice == kAdviseFree ||
         advice == kAdviseRemove || advice == kAdviseDontFork || advice == kAdviseWipeOnFork;
}

// Pages are there for whoever may touch them: private ones as copies, and what cannot be read by
// being written.
bool PopulatesByWriting(MapFlags flags, Access access) {
  return HasAny(access, Access::kWrite) &&
         (HasAny(flags, MapFlags::kPrivate) || !HasAny(access, Access::kRead));
}

}  // namespace

Result<void> VmAddressRegion::Advise(VirtRange range, int advice) {
  const AdviceKind kind = KindOf(advice);
  if (kind == AdviceKind::kUnknown || (range.base & hal::kPageMask)) return Errno::kEINVAL;
  if (range.size > UINT64_MAX - hal::kPageMask) return Errno::kEINVAL;
  range.size = hal::RoundUp(range.size);
  if (range.size > UINT64_MAX - range.base) return Errno::kEINVAL;
  if (range.size == 0) return {};
  if (kind == AdviceKind::kPopulate)
    return Populate(range, advice == kAdvisePopulateWrite ? Access::kWrite : Access::kRead);
  if (kind == AdviceKind::kRemove) return RemovePages(range);

  Dead dead;
  MutexLock lock(lock_);
  if (Discards(advice)) TRY(CheckDiscard(range));
  switch (advice) {
    case kAdviseDontFork:
      return ChangeFlags(range, MapFlags::kNone, MapFlags::kDontFork, false, dead);
    case kAdviseDoFork:
      return ChangeFlags(range, MapFlags::kDontFork, MapFlags::kNone, false, dead);
    default:
      break;
  }
  Result<void> result;
  vaddr_t at = range.base;
  while (at < range.end()) {
    VmMapping* mapping = FirstAfter(at);
    if (!mapping || mapping->base() >= range.end()) return Errno::kENOMEM;
    if (mapping->base() > at || mapping->hidden) result = Errno::kENOMEM;
    const VirtRange part = PartOf(*mapping, range);
    at = part.end();
    if (mapping->is_fixture() || kind == AdviceKind::kNothing) continue;
    TRY(AdviseOne(*mapping, part, advice));
  }
  if (advice == kAdviseWipeOnFork)
    TRY(ChangeFlags(range, MapFlags::kNone, MapFlags::kWipeOnFork, true, dead));
  if (advice == kAdviseKeepOnFork)
    TRY(ChangeFlags(range, MapFlags::kWipeOnFork, MapFlags::kNone, true, dead));
  return result;
}

// Who may write sealed memory may as well lose it; from others it is kept.
Result<void> VmAddressRegion::CheckDiscard(VirtRange range) {
  for (VmMapping* mapping = FirstAfter(range.base); mapping && mapping->base() < range.end();
       mapping = mappings_.Next(*mapping)) {
    if (HasAny(mapping->info.flags, MapFlags::kSealed) && mapping->is_anonymous() &&
        !HasAny(mapping->info.access, Access::kWrite))
      return Errno::kEPERM;
  }
  return {};
}

Result<void> VmAddressRegion::AdviseOne(VmMapping& mapping, VirtRange part, int advice) {
  const bool locked = HasAny(mapping.info.flags, MapFlags::kLocked);
  switch (advice) {
    case kAdviseDontNeed:
      if (locked) return Errno::kEINVAL;
      [[fallthrough]];
    case kAdviseDontNeedLocked:
      // Shared pages stay with their object: nothing is lost, nothing need be done.
      if (!mapping.is_private()) return {};
      return private_pages::Advise(*space_, mapping, part, kAdviseDontNeed);
    case kAdviseFree:
      if (!mapping.is_anonymous() || locked) return Errno::kEINVAL;
      return private_pages::Advise(*space_, mapping, part, advice);
    case kAdviseWipeOnFork:
    case kAdviseKeepOnFork:
      if (!mapping.is_anonymous()) return Errno::kEINVAL;
      return private_pages::Advise(*space_, mapping, part, advice);
    case kAdviseCold:
    case kAdvisePageOut:
      return locked ? Result<void>(Errno::kEINVAL) : Result<void>();
    default:
      return {};
  }
}

Result<void> VmAddressRegion::Populate(VirtRange range, Access access) {
  // Where a host has the translations it touches the pages, of so much that nobody waits long for
  // the lock, or for the end.
  constexpr uint64_t kAtOnce = uint64_t{16} << 20;
  const Thread* thread = Thread::Current();
  for (vaddr_t at = range.base; at < range.end();) {
    if (thread && thread->MustExit()) return Errno::kRestartNoIntr;
    auto handled = HandleFault(at, access);
    if (!handled.ok()) {
      switch (handled.error()) {
        case Errno::kEFAULT:
          return Errno::kENOMEM;  // a hole
        case Errno::kEACCES:
          return Errno::kEINVAL;
        case Errno::kENXIO:
        case Errno::kEIO:
          return Errno::kEFAULT;
        default:
          return handled;
      }
    }
    const vaddr_t page = std::exchange(at, at + hal::kPageSize);
    if (!private_pages::kMapsAhead) continue;
    MutexLock lock(lock_);
    VmMapping* mapping = Containing(page);
    if (!mapping || mapping->is_fixture()) continue;
    const vaddr_t mapped = std::min(mapping->base() + mapping->populated, range.end());
    if (mapped <= page) continue;  // another thread has changed it
    at = std::min(mapped, page + kAtOnce);
    const bool writes =
        access == Access::kWrite && PopulatesByWriting(mapping->info.flags, mapping->info.access);
    TRY(private_pages::Advise(*space_, *mapping, {page, at - page},
                              writes ? kAdvisePopulateWrite : kAdvisePopulateRead));
  }
  return {};
}

Result<void> VmAddressRegion::MakeResident(VirtRange range) {
  range = {hal::RoundDown(range.base), hal::RoundUp(range.end()) - hal::RoundDown(range.base)};
  for (vaddr_t at = range.base; at < range.end();) {
    const auto mapping = FindFrom(at);
    if (!mapping || mapping->range.base >= range.end()) return {};
    const VirtRange part = {
        std::max(at, mapping->range.base),
        std::min(mapping->range.end(), range.end()) - std::max(at, mapping->range.base)};
    at = part.end();
    if (HasAny(mapping->flags, MapFlags::kVdso)) continue;
    if (mapping->access == Access::kNone) return Errno::kENOMEM;
    const bool writes = PopulatesByWriting(mapping->flags, mapping->access);
    const auto populated = Populate(part, writes ? Access::kWrite : Access::kRead);
    if (!populated.ok() && populated.error() == Errno::kRestartNoIntr) return populated;
    // EINVAL: the host cannot do it ahead of time.
    if (!populated.ok() && populated.error() != Errno::kEINVAL) return Errno::kENOMEM;
  }
  return {};
}

// MADV_REMOVE: a hole in the object. Its lock and its other mappings' regions are taken without
// ours.
Result<void> VmAddressRegion::RemovePages(VirtRange range) {
  for (vaddr_t at = range.base; at < range.end();) {
    const auto mapping = FindFrom(at);
    if (!mapping || mapping->range.base > at) return Errno::kENOMEM;
    if (!mapping->object || HasAny(mapping->flags, MapFlags::kLocked)) return Errno::kEINVAL;
    if (HasAny(mapping->flags, MapFlags::kPrivate) || !HasAny(mapping->access, Access::kWrite))
      return Errno::kEACCES;
    const vaddr_t end = std::min(mapping->range.end(), range.end());
    TRY(mapping->object->Decommit(mapping->object_offset + (at - mapping->range.base), end - at));
    at = end;
  }
  return {};
}

Result<void> VmAddressRegion::Sync(VirtRange range, bool invalidate) {
  if (range.base & hal::kPageMask) return Errno::kEINVAL;
  if (range.size > UINT64_MAX - hal::kPageMask ||
      hal::RoundUp(range.size) > UINT64_MAX - range.base)
    return Errno::kENOMEM;
  range.size = hal::RoundUp(range.size);
  Result<void> result;
  for (vaddr_t at = range.base; at < range.end();) {
    const auto mapping = FindFrom(at);
    if (!mapping || mapping->range.base >= range.end()) return Errno::kENOMEM;
    if (mapping->range.base > at) {
      result = Errno::kENOMEM;
      at = mapping->range.base;
    }
    if (invalidate && HasAny(mapping->flags, MapFlags::kLocked)) return Errno::kEBUSY;
    const vaddr_t end = std::min(mapping->range.end(), range.end());
    if (mapping->object && !HasAny(mapping->flags, MapFlags::kPrivate))
      TRY(mapping->object->Sync(mapping->object_offset + (at - mapping->range.base), end - at));
    at = end;
  }
  return result;
}

Result<void> VmAddressRegion::Residency(VirtRange range, std::span<uint8_t> out) {
  if (range.base & hal::kPageMask) return Errno::kEINVAL;
  if (range.size > out.size() * hal::kPageSize) return Errno::kEINVAL;
  range.size = hal::RoundUp(range.size);
  MutexLock lock(lock_);
  for (vaddr_t at = range.base; at < range.end();) {
    VmMapping* mapping = Containing(at);
    if (!mapping || mapping->hidden) return Errno::kENOMEM;
    const VirtRange part = PartOf(*mapping, {at, range.end() - at});
    const std::span<uint8_t> bytes =
        out.subspan((at - range.base) / hal::kPageSize, part.size / hal::kPageSize);
    if (mapping->is_fixture()) {
      std::fill(bytes.begin(), bytes.end(), uint8_t{1});
    } else if (mapping->is_private() || private_pages::kMapsAhead) {
      // A host that has the translations knows what has been touched.
      TRY(private_pages::Residency(*space_, *mapping, part, bytes));
    } else {
      TRY(shared_pages::Residency(*mapping, part, bytes));
    }
    at = part.end();
  }
  return {};
}

}  // namespace zrun
