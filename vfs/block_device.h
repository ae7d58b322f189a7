#pragma once
#include "vfs/file_description.h"

namespace zrun::vfs {

// Block special files: the machine's disks (hal/disks.h), "vda" and so on.
Result<RefPtr<FileDescription>> OpenBlockDevice(const Path& path, uint64_t rdev, OpenFlags flags);
Result<unsigned> DiskOf(uint64_t rdev);  // ENXIO
unsigned DiskNodeCount();
uint64_t DiskNumber(unsigned disk);  // its st_rdev
// What was written to any disk goes to its medium.
void SyncDisks();

}  // namespace zrun::vfs
