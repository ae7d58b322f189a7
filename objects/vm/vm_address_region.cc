#include "objects/vm/vm_address_region.h"

#include <algorithm>

#include "objects/vm/region_internal.h"

namespace zrun {

using hal::Access;
using hal::vaddr_t;
using hal::VirtRange;

vaddr_t VmAddressRegion::MappingTraits::KeyOf(const VmMapping& mapping) { return mapping.base(); }

void VmAddressRegion::MappingTraits::Update(VmMapping& mapping) {
  mapping.subtree_base = mapping.base();
  mapping.subtree_end = mapping.end();
  mapping.largest_gap = 0;
  if (const VmMapping* left = MappingTree::Left(mapping)) {
    mapping.subtree_base = left->subtree_base;
    mapping.largest_gap = std::max(left->largest_gap, mapping.base() - left->subtree_end);
  }
  if (const VmMapping* right = MappingTree::Right(mapping)) {
    mapping.subtree_end = right->subtree_end;
    mapping.largest_gap =
        std::max({mapping.largest_gap, right->largest_gap, right->subtree_base - mapping.end()});
  }
}

VmAddressRegion::VmAddressRegion(RefPtr<hal::AddressSpace> space)
    : KernelObject(kType), space_(std::move(space)), mmap_base_(hal::GetUserLayout().highest) {}

VmAddressRegion::~VmAddressRegion() {
  Dead dead;
  MutexLock lock(lock_);
  while (VmMapping* mapping = mappings_.root()) Erase(*mapping, dead);
}

Result<RefPtr<VmAddressRegion>> VmAddressRegion::Create(RefPtr<hal::AddressSpace> space) {
  RefPtr<VmAddressRegion> region = TRY(MakeRef<VmAddressRegion>(std::move(space)));
  TRY(region->AddFixtures());
  return region;
}

// What the machine has in every guest's space.
Result<void> VmAddressRegion::AddFixtures() {
  const hal::UserLayout& layout = hal::GetUserLayout();
  MutexLock lock(lock_);
  if (layout.vdso.size > 0) {
    OwnPtr<VmMapping> vdso = TRY(MakeOwned<VmMapping>(*this));
    vdso->info.range = layout.vdso;
    vdso->info.access = Access::kRead | Access::kExecute;
    vdso->info.flags = MapFlags::kVdso | MapFlags::kPrivate;
    TRY(Insert(vdso));
  }
  if (layout.reserved.size > 0) {
    OwnPtr<VmMapping> hole = TRY(MakeOwned<VmMapping>(*this));
    hole->info.range = layout.reserved;
    hole->hidden = true;
    TRY(Insert(hole));
  }
  return {};
}

// ---- The tree

VmMapping* VmAddressRegion::Containing(vaddr_t address) const {
  VmMapping* mapping = mappings_.AtOrBefore(address);
  return mapping && address < mapping->end() ? mapping : nullptr;
}

VmMapping* VmAddressRegion::FirstAfter(vaddr_t address) const {
  VmMapping* mapping = mappings_.AtOrBefore(address);
  if (mapping && address < mapping->end()) return mapping;
  return mapping ? mappings_.Next(*mapping) : mappings_.First();
}

Result<void> VmAddressRegion::Insert(OwnPtr<VmMapping>& mapping) {
  if (mapping->info.object) TRY(mapping->info.object->AddMapping(*mapping));
  VmMapping& inserted = *mapping.release();
  mappings_.Insert(inserted);
  Count(inserted, true);
  return {};
}

void VmAddressRegion::Erase(VmMapping& mapping, Dead& dead) {
  Count(mapping, false);
  mappings_.Remove(mapping);
  if (mapping.info.object) mapping.info.object->RemoveMapping(mapping);
  dead.Add(mapping);
}

Result<void> VmAddressRegion::SplitAt(vaddr_t address) {
  VmMapping* left = Containing(address);
  if (!left || left->base() == address || left->hidden) return {};
  OwnPtr<VmMapping> right = TRY(MakeOwned<VmMapping>(*this));
  const uint64_t kept = address - left->base();
  right->info = left->info;
  right->info.range = {address, left->end() - address};
  right->info.object_offset += left->info.object ? kept : 0;
  right->populated = left->populated - std::min(left->populated, kept);
  right->pages = left->pages;
  right->pages_offset = left->pages_offset + kept;
  if (right->info.object) TRY(right->info.object->AddMapping(*right));
  left->populated = std::min(left->populated, kept);
  Resize(*left, kept);
  VmMapping& inserted = *right.release();
  mappings_.Insert(inserted);
  Count(inserted, true);
  return {};
}

Result<void> VmAddressRegion::SplitAround(VirtRange range) {
  TRY(SplitAt(range.base));
  return SplitAt(range.end());
}

void VmAddressRegion::Resize(VmMapping& mapping, uint64_t size) {
  Modify(mapping, [&](Mapping& info) { info.range.size = size; });
  mappings_.Refresh(mapping);
}

namespace {

bool CanJoin(VmMapping& a, VmMapping& b) {
  if (a.end() != b.base() || a.is_fixture() || b.is_fixture()) return false;
  const Mapping& left = a.info;
  const Mapping& right = b.info;
  if (left.flags != right.flags || left.access != right.access || left.object != right.object ||
      left.max_access != right.max_access || left.file != right.file) {
    return false;
  }
  if (left.object && left.object_offset + a.size() != right.object_offset) return false;
  if (a.populated != a.size() && b.populated != 0) return false;
  return private_pages::Join(a, b);
}

}  // namespace

void VmAddressRegion::Join(VirtRange range, Dead& dead) {
  VmMapping* mapping = FirstAfter(range.base > 0 ? range.base - 1 : 0);
  while (mapping && mapping->base() <= range.end()) {
    VmMapping* next = mappings_.Next(*mapping);
    if (next && CanJoin(*mapping, *next)) {
      const uint64_t size = mapping->size() + next->size();
      mapping->populated += next->populated;
      Erase(*next, dead);
      Resize(*mapping, size);
    } else {
      mapping = next;
    }
  }
}

void VmAddressRegion::Count(const VmMapping& mapping, bool add) {
  if (mapping.hidden) return;
  const Mapping& info = mapping.info;
  const auto count = [&](uint64_t& total) {
    total = add ? total + info.range.size : total - info.range.size;
  };
  totals_.mappings += add ? 1 : -1;
  count(totals_.total_bytes);
  totals_.peak_bytes = std::max(totals_.peak_bytes, totals_.total_bytes);
  if (HasAny(info.flags, MapFlags::kLocked)) count(totals_.locked_bytes);
  if (!HasAny(info.flags, MapFlags::kPrivate)) {
    count(totals_.shared_bytes);
  } else if (HasAny(info.flags, MapFlags::kGrowsDown)) {
    count(totals_.stack_bytes);
  } else if (HasAny(info.access, Access::kWrite)) {
    count(totals_.data_bytes);
  } else if (HasAny(info.access, Access::kExecute)) {
    count(totals_.code_bytes);
  }
}

namespace {

// The highest place for |size| bytes between |low| and |high| and the mappings of the subtree.
std::optional<vaddr_t> HighestRoom(const VmMapping* node, uint64_t size, vaddr_t low, vaddr_t high,
                                   VmMapping* (*left)(const VmMapping&),
                                   VmMapping* (*right)(const VmMapping&)) {
  if (high < low || high - low < size) return std::nullopt;
  if (!node) return high - size;
  const uint64_t below = node->subtree_base > low ? node->subtree_base - low : 0;
  const uint64_t above = high > node->subtree_end ? high - node->subtree_end : 0;
  if (std::max({node->largest_gap, below, above}) < size) return std::nullopt;
  if (auto found = HighestRoom(right(*node), size, std::max(low, node->end()), high, left, right))
    return found;
  return HighestRoom(left(*node), size, low, std::min(high, node->base()), left, right);
}

}  // namespace

std::optional<vaddr_t> VmAddressRegion::FindRoom(uint64_t size, vaddr_t low, vaddr_t high) const {
  return HighestRoom(mappings_.root(), size, low, high, &MappingTree::Left, &MappingTree::Right);
}

bool VmAddressRegion::IsFree(VirtRange range) const {
  const VmMapping* mapping = FirstAfter(range.base);
  return !mapping || mapping->base() >= range.end();
}

// ---- What is known about it

std::optional<Mapping> VmAddressRegion::Find(vaddr_t address) {
  MutexLock lock(lock_);
  const VmMapping* mapping = Containing(address);
  if (!mapping || mapping->hidden) return std::nullopt;
  return mapping->info;
}

std::optional<Mapping> VmAddressRegion::FindFrom(vaddr_t address) {
  MutexLock lock(lock_);
  const VmMapping* mapping = FirstAfter(address);
  while (mapping && mapping->hidden) mapping = mappings_.Next(*mapping);
  if (!mapping) return std::nullopt;
  return mapping->info;
}

bool VmAddressRegion::HasVdso(VirtRange part) const {
  const VmMapping* mapping = Containing(part.base);
  return mapping && HasAny(mapping->info.flags, MapFlags::kVdso) && part.end() <= mapping->end();
}

bool VmAddressRegion::has_vdso() const {
  MutexLock lock(lock_);
  const VirtRange vdso = hal::GetUserLayout().vdso;
  return vdso.size == 0 || HasVdso(vdso);
}

uint64_t VmAddressRegion::private_bytes() const {
  MutexLock lock(lock_);
  uint64_t bytes = 0;
  const VmObject* last = nullptr;  // parts of a mapping that was split share theirs
  for (const VmMapping* mapping = mappings_.First(); mapping; mapping = mappings_.Next(*mapping)) {
    if (mapping->pages && mapping->pages.get() != last) bytes += mapping->pages->committed_bytes();
    last = mapping->pages.get();
  }
  return bytes;
}

VmAddressRegion::Totals VmAddressRegion::totals() const {
  MutexLock lock(lock_);
  return totals_;
}

void VmAddressRegion::SetLimits(uint64_t address_space, uint64_t data) {
  MutexLock lock(lock_);
  address_space_limit_ = address_space;
  data_limit_ = data;
}

void VmAddressRegion::SetStackLimit(uint64_t bytes) {
  MutexLock lock(lock_);
  stack_limit_ = bytes;
}

void VmAddressRegion::SetMmapBase(vaddr_t base) {
  MutexLock lock(lock_);
  mmap_base_ = base;
}

VmAddressRegion::Landmarks VmAddressRegion::landmarks() const {
  MutexLock lock(lock_);
  return landmarks_;
}

void VmAddressRegion::SetLandmarks(const Landmarks& landmarks) {
  MutexLock lock(lock_);
  landmarks_ = landmarks;
}

}  // namespace zrun
