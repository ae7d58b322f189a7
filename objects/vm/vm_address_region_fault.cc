// Page faults, pages that objects take away, fork.
#include <algorithm>

#include "hal/processor.h"
#include "objects/task/thread.h"
#include "objects/vm/page_allocator.h"
#include "objects/vm/page_reclaim.h"
#include "objects/vm/region_internal.h"

namespace zrun {

using hal::Access;
using hal::vaddr_t;
using hal::VirtRange;

namespace {

constexpr uint64_t kStackGuardGap = 256 * hal::kPageSize;  // Linux's stack_guard_gap

// As the machines' page tables have it: whatever may be written may be read, and where they cannot
// help it what may be run.
bool Grants(Access granted, Access wanted) {
  if (HasAny(wanted, Access::kWrite) && !HasAny(granted, Access::kWrite)) return false;
  if (HasAny(wanted, Access::kExecute)) return HasAny(granted, Access::kExecute);
  if (hal::HasExecuteOnly()) return HasAny(granted, Access::kRead | Access::kWrite);
  return granted != Access::kNone;
}

bool MayGrowTo(const VmMapping* above) {
  return above && HasAny(above->info.flags, MapFlags::kGrowsDown);
}

// What is made of a vast mapping at a time, as a mapping of its own: what lies around an address
// that is used. The more there are, the larger they get: there may not be more than so many.
VirtRange WindowAt(const VmMapping& mapping, vaddr_t address, uint64_t mappings) {
  constexpr uint64_t kLeast = uint64_t{2} << 20, kMany = kUsualMaxMappings / 8;
  const uint64_t size = kLeast << std::min<uint64_t>(mappings / kMany, 6);
  const vaddr_t base = std::max(address & ~(size - 1), mapping.base() + mapping.populated);
  const vaddr_t end = std::min((address | (size - 1)) + 1, mapping.end());
  return {base, end - base};
}

}  // namespace

Result<void> VmAddressRegion::HandleFault(vaddr_t address, Access access) {
  constexpr int kMostWaits = 10;  // the caller's locks may be what keeps memory from coming free
  for (int waits = 0;;) {
    RefPtr<VmObject> to_fill;
    uint64_t fill_offset = 0;
    Result<void> handled = WithMemory([&] {
      Dead dead;
      MutexLock lock(lock_);
      return FaultLocked(address, access, to_fill, fill_offset, dead);
    });
    if (handled.ok()) return handled;
    if (handled.error() == Errno::kEAGAIN) {
      handled = to_fill->FillPages(fill_offset, 1);
      if (handled.ok()) continue;
    }
    if (handled.error() != Errno::kENOMEM) return handled;
    // Who is short of memory waits until there is some, or tries again if it has just come.
    if (++waits >= kMostWaits) return handled;
  }
}

Result<void> VmAddressRegion::FaultLocked(vaddr_t address, Access access, RefPtr<VmObject>& to_fill,
                                          uint64_t& fill_offset, Dead& dead) {
  VmMapping* mapping = Containing(address);
  if (!mapping) mapping = GrowStack(address);
  if (!mapping && MayGrowTo(FirstAfter(address)) &&
      RamFrames().level() == PageAllocator::Level::kCritical)
    return Errno::kENOMEM;  // perhaps that was all: then it grows when there is memory
  if (!mapping || mapping->hidden) return Errno::kEFAULT;
  if (!Grants(mapping->info.access, access)) return Errno::kEACCES;
  if (mapping->is_fixture()) return {};
  VirtRange window{};
  if (IsVast(*mapping) && address >= mapping->base() + mapping->populated) {
    window = WindowAt(*mapping, address, totals_.mappings);
    TRY(SplitAround(window));
    mapping = Containing(address);
  }
  auto handled = mapping->is_private()
                     ? private_pages::HandleFault(*space_, *mapping, address, access)
                     : shared_pages::HandleFault(*space_, *mapping, address, access);
  if (!handled.ok() && handled.error() == Errno::kEAGAIN) {
    to_fill = mapping->info.object;
    fill_offset = private_pages::kMapsAhead ? mapping->info.object_offset + mapping->populated
                                            : mapping->OffsetOf(hal::RoundDown(address));
  }
  if (window.size > 0) Join(window, dead);
  return handled;
}

// Just below a kGrowsDown mapping: more of it, as far as its limit and the neighbour below allow.
VmMapping* VmAddressRegion::GrowStack(vaddr_t address) {
  VmMapping* stack = FirstAfter(address);
  if (!stack || !HasAny(stack->info.flags, MapFlags::kGrowsDown)) return nullptr;
  const vaddr_t base = hal::RoundDown(address);
  if (base < hal::GetUserLayout().lowest) return nullptr;
  const VmMapping* below = mappings_.Previous(*stack);
  if (below && base - below->end() < kStackGuardGap) return nullptr;
  uint64_t size = stack->base() - base;
  for (const VmMapping* part = stack; part && HasAny(part->info.flags, MapFlags::kGrowsDown);) {
    size += part->size();
    const VmMapping* next = mappings_.Next(*part);
    part = next && next->base() == part->end() ? next : nullptr;
  }
  if (size > stack_limit_) return nullptr;
  Dead dead;
  Mapping more = stack->info;
  more.range = {base, stack->base() - base};
  more.flags |= MapFlags::kFixed;
  if (!MapLocked(more, dead).ok()) return nullptr;
  return Containing(address);
}

void VmAddressRegion::UnmapObject(VmObject& object, uint64_t offset, uint64_t size,
                                  bool even_private) {
  MutexLock lock(lock_);
  if (!space_) return;
  const uint64_t end = offset + std::min(size, UINT64_MAX - offset);
  for (VmMapping* mapping = mappings_.First(); mapping; mapping = mappings_.Next(*mapping)) {
    if (mapping->info.object.get() != &object) continue;
    const uint64_t from = std::max(offset, mapping->info.object_offset);
    const uint64_t to = std::min(end, mapping->info.object_offset + mapping->size());
    if (from >= to) continue;
    const VirtRange part{mapping->base() + (from - mapping->info.object_offset), to - from};
    if (mapping->is_private()) {
      private_pages::UnmapObject(*space_, *mapping, part, even_private);
    } else {
      shared_pages::UnmapObject(*space_, *mapping, part);
    }
  }
}

// Both regions are locked; the analysis does not see that of two.
Result<void> VmAddressRegion::CopyMappings(VmAddressRegion& child) NO_THREAD_SAFETY_ANALYSIS {
  for (VmMapping* mapping = mappings_.First(); mapping; mapping = mappings_.Next(*mapping)) {
    if (HasAny(mapping->info.flags, MapFlags::kDontFork)) continue;
    OwnPtr<VmMapping> copy = TRY(MakeOwned<VmMapping>(child));
    copy->info = mapping->info;
    copy->info.flags = copy->info.flags & ~MapFlags::kLocked;  // locks are not inherited
    copy->hidden = mapping->hidden;
    copy->populated = mapping->populated;
    if (mapping->is_private() && !mapping->is_fixture())
      TRY(private_pages::ForkMapping(*space_, *mapping, *copy));
    TRY(child.Insert(copy));
  }
  child.address_space_limit_ = address_space_limit_;
  child.data_limit_ = data_limit_;
  child.stack_limit_ = stack_limit_;
  child.mmap_base_ = mmap_base_;
  child.landmarks_ = landmarks_;
  return {};
}

// As above.
Result<void> VmAddressRegion::Fork(Thread& child, ForkClient& client) NO_THREAD_SAFETY_ANALYSIS {
  RefPtr<VmAddressRegion> region = TRY(MakeRef<VmAddressRegion>(nullptr));
  hal::Thread* thread;
  {
    // From here until the copy is made, and has its space, the mappings stay as they are, and
    // nobody who takes pages away from an object can pass either region by.
    LockBoth lock(lock_, region->lock_);
    TRY(CopyMappings(*region));
    auto forked = private_pages::ForkSpace(*space_, child.PrepareStart());
    if (!forked.ok()) {
      child.CancelStart();
      return forked.error();
    }
    region->space_ = std::move(forked.value().space);
    thread = forked.value().thread;
    if (private_pages::kMapsAhead) {
      // The machine copied the whole space: they are in the child's too.
      for (VmMapping* mapping = mappings_.First(); mapping; mapping = mappings_.Next(*mapping)) {
        if (HasAny(mapping->info.flags, MapFlags::kDontFork))
          static_cast<void>(region->space_->Unmap(mapping->info.range));
      }
    } else {
      const VirtRange vdso = hal::GetUserLayout().vdso;
      for (vaddr_t page = vdso.base; page < vdso.end(); page += hal::kPageSize) {
        const VirtRange part{page, hal::kPageSize};
        if (!HasVdso(part)) static_cast<void>(region->space_->Unmap(part));
      }
      for (VmMapping* mapping = region->mappings_.First(); mapping;
           mapping = region->mappings_.Next(*mapping)) {
        // What it does not get now, its faults will.
        if (!mapping->is_fixture() && !HasAny(mapping->info.flags, MapFlags::kWipeOnFork))
          static_cast<void>(region->space_->CopyFrom(*space_, mapping->info.range));
      }
    }
  }
  client.Adopt(std::move(region));
  child.SetMachineThread(thread);  // and lets it run
  return {};
}

}  // namespace zrun
