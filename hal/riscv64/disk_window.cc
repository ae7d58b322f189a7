// Disks' windows: translations of the kernel's onto frames that hold what was read.
#include <algorithm>

#include "base/assert.h"
#include "hal/disks.h"
#include "hal/riscv64/machine.h"

namespace zrun::hal {
namespace {

// Read at once: what is asked for seldom comes alone.
constexpr unsigned kCluster = 8;

// Reads pages [page, page + count * kPageSize) and maps those that nobody has mapped meanwhile.
Result<void> ReadCluster(unsigned index, vaddr_t window, uint64_t offset, unsigned count) {
  PhysRange frames[kCluster];
  unsigned got = 0;
  for (; got < count; got++) {
    const paddr_t frame = AllocateTable();
    if (!frame) break;
    frames[got] = {frame, kPageSize};
  }
  if (got == 0) return Errno::kENOMEM;
  // The last page of a disk may not be whole; the rest of its frame stays zeros.
  const uint64_t end = std::min(offset + got * kPageSize, GetDisk(index).size);
  frames[got - 1].size = end - (offset + (got - 1) * kPageSize);
  Result<void> result =
      TransferDisk(index, DiskOperation::kRead, offset, std::span(frames).first(got));
  for (unsigned i = 0; i < got; i++) {
    const vaddr_t page = window + offset + i * kPageSize;
    auto mapped = result.ok() ? MapKernelPage(page, frames[i].base) : result;
    if (mapped.ok()) continue;
    FreeTable(frames[i].base);
    if (mapped.error() != Errno::kEEXIST) result = mapped;
  }
  return result;
}

}  // namespace

PhysRange DiskWindow(unsigned index) {
  const uint64_t size = RoundUp(GetDisk(index).size);
  if (size > ZRUN_DISK_WINDOW_SIZE) return {};
  return {ZRUN_DISKS_BASE + index * ZRUN_DISK_WINDOW_SIZE - ZRUN_WINDOW, size};
}

Result<void> LoadDiskWindow(unsigned index, uint64_t offset, uint64_t size) {
  const PhysRange window = DiskWindow(index);
  if (offset > window.size || size > window.size - offset) return Errno::kENXIO;
  const vaddr_t base = ToWindow(window.base);
  const uint64_t end = offset + size;
  for (uint64_t at = RoundDown(offset); at < end;) {
    if (IsKernelPageMapped(base + at)) {
      at += kPageSize;
      continue;
    }
    const uint64_t cluster_end = std::min(at + kCluster * kPageSize, window.size);
    unsigned count = 1;
    while (at + count * kPageSize < cluster_end &&
           !IsKernelPageMapped(base + at + count * kPageSize))
      count++;
    TRY(ReadCluster(index, base, at, count));
  }
  return {};
}

}  // namespace zrun::hal
