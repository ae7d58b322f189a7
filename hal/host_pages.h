#pragma once
#include "hal/address_space.h"
#include "hal/thread.h"

// Only on machines whose host keeps private guest memory for us (trap): demand zero, copy-on-write
// and fork are the host's. The seam above it is objects/vm/private_pages.h, whose other body does
// the same work with copy-on-write VmObjects. All calls but Fork replace or need what the host does
// for MAP_PRIVATE. They may only be made by a thread that runs in |space|.
namespace zrun::hal {

// Fresh zero pages.
Result<void> MapPrivateZero(AddressSpace& space, VirtRange range, Access access);
// A private copy of |frames|: reads see them until the first write.
Result<void> MapPrivateCopy(AddressSpace& space, vaddr_t base, std::span<const PhysRange> frames,
                            Access access);
// mremap: moves private and shared translations alike; the old range becomes unmapped.
Result<void> MoveRange(AddressSpace& space, VirtRange from, vaddr_t to);
// madvise(MADV_DONTNEED / MADV_FREE / ...) on private memory, MADV_POPULATE_READ on all: |advice|
// is Linux's.
Result<void> AdvisePrivate(AddressSpace& space, VirtRange range, int advice);
// mincore for private memory: one byte per page.
Result<void> ResidentPages(AddressSpace& space, VirtRange range, std::span<uint8_t> out);
// A copy of the caller's space, private pages copy-on-write, with one thread in it that runs
// |start|. The new thread is returned through |thread| before it can run.
struct ForkedSpace {
  RefPtr<AddressSpace> space;
  Thread* thread;
};
Result<ForkedSpace> ForkAddressSpace(AddressSpace& current, ThreadStart start);

}  // namespace zrun::hal
