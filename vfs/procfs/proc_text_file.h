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
// /proc/PID/mem and pagemap, memory_files.cc.
Result<RefPtr<FileDescription>> OpenProcMemory(const Path& path, OpenFlags flags,
                                               const ProcRequest& request);
Result<RefPtr<FileDescription>> OpenProcPagemap(const Path& path, OpenFlags flags,
                                                const ProcRequest& request);

// lseek(2) where there is no end to count from. EINVAL.
inline constexpr int kSeekSet = 0, kSeekCurrent = 1;
Result<uint64_t> SeekFrom(uint64_t position, int64_t offset, int whence);

}  // namespace zrun::vfs
