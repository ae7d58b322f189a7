#pragma once
#include "vfs/file_description.h"

// Moving bytes between files without guest memory: splice(2), tee(2), sendfile(2),
// copy_file_range(2). They never block: with kEAGAIN |wait| tells what to sleep for. (vmsplice(2)
// is Write or Read of the pipe.) Access modes have been checked by the caller.
namespace zrun::vfs {

struct SpliceWait {
  RefPtr<FileDescription> file;
  Signals signals = Signals::kNone;
};
// An offset, or null: the file's own position, which moves.
struct SpliceEnd {
  FileDescription& file;
  uint64_t* offset = nullptr;
};
// One end must be a pipe (EINVAL); ESPIPE for an offset of a pipe; EINVAL for both ends of one
// pipe, or when |out| is a file in append mode.
Result<size_t> Splice(SpliceEnd in, SpliceEnd out, size_t size, SpliceWait& wait);
// EINVAL unless both are different pipes.
Result<size_t> Tee(FileDescription& in, FileDescription& out, size_t size, SpliceWait& wait);
// Through a kernel buffer: sendfile and copy_file_range. Returns what was moved before an error.
Result<size_t> CopyFile(SpliceEnd in, SpliceEnd out, size_t size, SpliceWait& wait);

}  // namespace zrun::vfs
