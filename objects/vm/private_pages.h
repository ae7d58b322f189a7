#pragma once
#include "hal/address_space.h"
#include "hal/thread.h"
#include "objects/vm/vm_mapping.h"

// The seam between the region and who keeps private memory (docs/adr/0003-private-pages-seam.md):
//   private_pages_host.cc  the machine's host does: demand zero, copy-on-write and fork are its own
//   private_pages_cow.cc   we do: every private mapping has an object of pages of its own
// One of them is linked into each kernel. All of it is called with the region's lock held.
namespace zrun::private_pages {

// Whether translations are made when the mapping is, for all of it that its object has; otherwise
// they are made by faults. Holds for shared mappings too.
extern const bool kMapsAhead;

// Makes the translations of a mapping whose range has none. Where mappings are made ahead, goes on
// from |populated|: EAGAIN where pages must be read first, ENXIO at the object's end.
Result<void> Map(hal::AddressSpace& space, VmMapping& mapping);
// A part of the mapping goes away, with what was written to it. The translations are already gone.
void Forget(VmMapping& mapping, hal::VirtRange part);
// |mapping.info.access| is still the old one.
Result<void> Protect(hal::AddressSpace& space, VmMapping& mapping, hal::Access access);
// The translations of |from| go to the range of |to|, which has what |from| had, at least as long.
Result<void> Move(hal::AddressSpace& space, VmMapping& from, VmMapping& to);
// |right| follows |left| and is like it in all else: whether |left| can stand for both. It is then
// ready to.
bool Join(VmMapping& left, VmMapping& right);
// The mapping's range will be |size|: for what comes after it.
Result<void> Grow(hal::AddressSpace& space, VmMapping& mapping, uint64_t size);
// MADV_DONTNEED, and what only concerns the host.
Result<void> Advise(hal::AddressSpace& space, VmMapping& mapping, hal::VirtRange part, int advice);
// The access is one that the mapping grants. EAGAIN, ENXIO as Map().
Result<void> HandleFault(hal::AddressSpace& space, VmMapping& mapping, hal::vaddr_t address,
                         hal::Access access);
Result<void> Residency(hal::AddressSpace& space, VmMapping& mapping, hal::VirtRange part,
                       std::span<uint8_t> out);
// The object's pages in |part| are gone from it: |even_copies| says whether what was copied goes as
// well.
void UnmapObject(hal::AddressSpace& space, VmMapping& mapping, hal::VirtRange part,
                 bool even_copies);

// fork: |child| is a copy of |parent| in the new region.
Result<void> ForkMapping(hal::AddressSpace& parent_space, VmMapping& parent, VmMapping& child);
struct ForkedSpace {
  RefPtr<hal::AddressSpace> space;
  hal::Thread* thread;
};
Result<ForkedSpace> ForkSpace(hal::AddressSpace& current, hal::ThreadStart start);

}  // namespace zrun::private_pages

// Mappings whose writes reach the object. The same calls.
namespace zrun::shared_pages {

Result<void> Map(hal::AddressSpace& space, VmMapping& mapping);
Result<void> Protect(hal::AddressSpace& space, VmMapping& mapping, hal::Access access);
Result<void> Move(hal::AddressSpace& space, VmMapping& from, VmMapping& to);
Result<void> HandleFault(hal::AddressSpace& space, VmMapping& mapping, hal::vaddr_t address,
                         hal::Access access);
Result<void> Residency(VmMapping& mapping, hal::VirtRange part, std::span<uint8_t> out);
void UnmapObject(hal::AddressSpace& space, VmMapping& mapping, hal::VirtRange part);

}  // namespace zrun::shared_pages

namespace zrun {

// Errors of Map() that only mean that faults will do the rest.
inline bool IsLater(const Result<void>& result) {
  return !result.ok() && (result.error() == Errno::kEAGAIN || result.error() == Errno::kENXIO);
}

}  // namespace zrun
