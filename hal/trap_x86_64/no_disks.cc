// A machine without disks.
#include "hal/disks.h"

namespace zrun::hal {

unsigned DiskCount() { return 0; }
Disk GetDisk(unsigned) { return {}; }
Result<void> TransferDisk(unsigned, DiskOperation, uint64_t, std::span<const PhysRange>) {
  return Errno::kENXIO;
}
Result<void> FlushDisk(unsigned) { return Errno::kENXIO; }
PhysRange DiskWindow(unsigned) { return {}; }
Result<void> LoadDiskWindow(unsigned, uint64_t, uint64_t) { return Errno::kENXIO; }

}  // namespace zrun::hal
