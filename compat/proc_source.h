#pragma once
#include "vfs/procfs/proc_source.h"

namespace zrun::compat {

// What /proc shows. There is one for the kernel's life; for vfs::SetProcSource() while booting.
vfs::ProcSource& GetProcSource();

}  // namespace zrun::compat
