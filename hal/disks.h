#pragma once
#include <cstdint>
#include <span>

#include "base/result.h"
#include "hal/memory.h"

// The machine's disks, in the order the launcher gave them. A machine without any (trap: a host's
// files are mapped instead) has none of them and no calls.
namespace zrun::hal {

inline constexpr uint64_t kSectorSize = 512;

struct Disk {
  uint64_t size;  // bytes; whole sectors
  bool read_only;
};
unsigned DiskCount();
Disk GetDisk(unsigned index);

enum class DiskOperation : uint8_t { kRead, kWrite };
// Moves whole sectors from |offset| on between the disk and |frames|, in order, and waits for it.
// Any number of threads at a time. ENXIO beyond the end, EROFS, EIO.
Result<void> TransferDisk(unsigned index, DiskOperation operation, uint64_t offset,
                          std::span<const PhysRange> frames);
// What was written is on the medium.
Result<void> FlushDisk(unsigned index);

// Parts of a disk that stay in memory once they were read, at addresses in order: for what is read
// in small pieces and often. The window is a ROM bank for PhysToVirt(), of which only what
// LoadDiskWindow() has been asked for may be touched. Size 0 if the disk is too large for one.
PhysRange DiskWindow(unsigned index);
Result<void> LoadDiskWindow(unsigned index, uint64_t offset, uint64_t size);

}  // namespace zrun::hal
