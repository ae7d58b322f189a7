#pragma once
#include "base/intrusive_list.h"
#include "base/tree.h"
#include "objects/vm/vm_address_region.h"

namespace zrun {

struct MappingListTag;

// One mapping of a region: a node of its tree and, with an object behind it, of the object's list
// of mappings. Guarded by the region's lock, except where it says otherwise.
class VmMapping final : public TreeNode<>, public ListNode<MappingListTag> {
 public:
  explicit VmMapping(VmAddressRegion& owner) : region(owner) {}

  hal::vaddr_t base() const { return info.range.base; }
  hal::vaddr_t end() const { return info.range.end(); }
  uint64_t size() const { return info.range.size; }
  bool is_private() const { return HasAny(info.flags, MapFlags::kPrivate); }
  bool is_anonymous() const { return is_private() && !info.object; }
  bool is_fixture() const { return hidden || HasAny(info.flags, MapFlags::kVdso); }
  // The object's offset behind |address|.
  uint64_t OffsetOf(hal::vaddr_t address) const { return info.object_offset + (address - base()); }

  VmAddressRegion& region;
  Mapping info;
  // Not the guest's: a hole that belongs to the machine.
  bool hidden = false;
  // Where mappings are made ahead of use (private_pages::kMapsAhead): how many bytes from the start
  // the machine has. What lies after is beyond the object's end, or was when it was mapped.
  uint64_t populated = 0;
  // Otherwise: the pages of a private mapping that are its own, and where they start in it.
  RefPtr<VmObject> pages;
  uint64_t pages_offset = 0;

  // Of the subtree, for the search for room.
  hal::vaddr_t subtree_base = 0;
  hal::vaddr_t subtree_end = 0;
  uint64_t largest_gap = 0;  // between two mappings of it
};

}  // namespace zrun
