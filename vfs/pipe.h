#pragma once
#include "vfs/anonymous.h"
#include "vfs/file_description.h"
#include "vfs/setting.h"

namespace zrun::vfs {

// ---- Pipes (pipe(7)) and FIFOs (fifo(7)).
struct PipePair {
  RefPtr<FileDescription> reader, writer;
};
// /proc/sys/fs/pipe-max-size: what one may have who is not privileged (CAP_SYS_RESOURCE).
extern Setting pipe_max_size;
// Rounds up to a power of two of pages; false if it is too much.
bool SetPipeMaxSize(uint64_t size);
// |flags|: kNonBlock and kDirect (packets).
Result<PipePair> CreatePipe(OpenFlags flags, FileOwner owner = {}, bool privileged = true);
// open(2) of a FIFO. ENXIO for a writer that may not wait while nobody reads; otherwise the file's
// FinishOpen() gives kEAGAIN until the other side is there.
Result<RefPtr<FileDescription>> OpenFifo(const Path& path, OpenFlags flags);

// fcntl(F_GETPIPE_SZ, F_SETPIPE_SZ): EBADF if |file| is no pipe; EBUSY, EINVAL, EPERM. Returns the
// size. |privileged|: CAP_SYS_RESOURCE.
Result<uint64_t> GetPipeSize(FileDescription& file);
Result<uint64_t> SetPipeSize(FileDescription& file, uint64_t size, bool privileged);

}  // namespace zrun::vfs
