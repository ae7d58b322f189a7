#pragma once
#include "compat/signals.h"
#include "vfs/file_description.h"

namespace zrun::compat {

// signalfd(2): reads are signals of the reader, whoever made it.
Result<RefPtr<vfs::FileDescription>> CreateSignalFd(SignalSet mask, vfs::OpenFlags flags);
// EINVAL if |file| is none.
Result<void> SetSignalFdMask(vfs::FileDescription& file, SignalSet mask);

}  // namespace zrun::compat
