#pragma once
#include "vfs/procfs/proc_entry.h"

namespace zrun::vfs {

// An open text of /proc: made anew each time it is read from the start, so that what is read piece
// by piece fits together.
Result<RefPtr<FileDescription>> OpenProcText(const Path& path, OpenFlags flags,
                                             const ProcRequest& request, const ProcEntry& entry);
// The same for a file that is one of many alike: fdinfo/N.
using ProcNumberedShow = Result<void> (*)(ProcSource& source, ProcId id, int number, TextSink& out);
Result<RefPtr<FileDescription>> OpenProcNumbered(const Path& path, OpenFlags flags,
                                                 const ProcRequest& request, int number,
                                                 ProcNumberedShow show);
// /proc/PID/mem.
Result<RefPtr<FileDescription>> OpenProcMemory(const Path& path, OpenFlags flags,
                                               const ProcRequest& request);

}  // namespace zrun::vfs
