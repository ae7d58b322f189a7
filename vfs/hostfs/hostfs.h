#pragma once
#include "hal/host_files.h"
#include "vfs/file_system.h"

namespace zrun::vfs {

// A directory (or a file) of the machine's host that the launcher shares: hal::GetHostVolume.
// Owners and modes appear as they are there; the host checks what is done to them.
Result<RefPtr<FileSystem>> MountHostVolume(const hal::HostVolume& volume);

// hal::MachineEvent's kHostChanges: tells those who watch of what others have changed.
void DeliverHostChanges();

}  // namespace zrun::vfs
