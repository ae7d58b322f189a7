#pragma once
#include "vfs/file_description.h"

namespace zrun::vfs {

// ---- Pseudo-terminals (pty(7)).
// open(2) of /dev/ptmx: a new pseudo-terminal's master. ENOSPC when there are too many.
Result<RefPtr<FileDescription>> OpenPtyMaster(const Path& path, OpenFlags flags);
// open(2) of /dev/pts/|number|: ENXIO if there is none; EIO while it is locked.
Result<RefPtr<FileDescription>> OpenPtySlave(const Path& path, uint32_t number, OpenFlags flags);
// ioctl(TIOCGPTPEER), whose argument is |flags| and whose result needs a descriptor: done by the
// system call. ENOTTY if |master| is none.
inline constexpr uint32_t kTiocGPtPeer = 0x5441;
Result<RefPtr<FileDescription>> OpenPtyPeer(FileDescription& master, OpenFlags flags);

}  // namespace zrun::vfs
