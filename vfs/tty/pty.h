#pragma once
#include "vfs/file_description.h"

namespace zrun::vfs {

// ---- Pseudo-terminals (pty(7)).
// open(2) of /dev/ptmx: a new pseudo-terminal's master. ENOSPC when there are too many; ENODEV
// where there is no devpts beside |path|.
Result<RefPtr<FileDescription>> OpenPtyMaster(const Path& path, OpenFlags flags);
// open(2) of /dev/pts/|number|: ENXIO if there is none; EIO while it is locked, or if |path| is in
// no devpts.
Result<RefPtr<FileDescription>> OpenPtySlave(const Path& path, uint32_t number, OpenFlags flags);
// ioctl(TIOCGPTPEER), whose argument is |flags| and whose result needs a descriptor: done by the
// system call. ENOTTY if |master| is none, ENODEV where its devpts is unmounted.
inline constexpr uint32_t kTiocGPtPeer = 0x5441;
Result<RefPtr<FileDescription>> OpenPtyPeer(FileDescription& master, OpenFlags flags);

}  // namespace zrun::vfs
