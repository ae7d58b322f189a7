#pragma once
#include <cstdint>

namespace zrun {

// THE lock order. A thread may only take a lock of a greater rank than any it holds; debug builds
// check it. To take two of one rank, use LockBoth() (by address).
//
// Guest memory may be touched only while nothing ranked after kFileData is held: a copy can fault,
// a fault can read a file, and that takes what comes after.
enum class LockRank : uint8_t {
  kKernel,       // the pid table: who exists, parents and children, groups and sessions
  kThreadGroup,  // a Linux process: threads, limits, exit
  kSignals,      // signal actions and queues
  kTask,         // one Linux thread
  kFsContext,    // root, cwd, umask
  kFutex,        // a bucket of the futex table
  kMount,        // a mount namespace
  kRename,       // a file system's tree (rename)
  kFdTable,
  kFile,      // file offsets; pipes, sockets, ttys and other anonymous files
  kFileData,  // one regular file's writers; never taken by a fault
  kDentry,
  kOverlay,     // an overlay's directories
  kVnode,       // and what is below it in a file system
  kFileSystem,  // a file system's own tables
  kVmAddressRegion,
  kVmObject,
  kTimer,
  kPort,          // an epoll set's ready list
  kKernelObject,  // signals and observers of any object
  kHandleTable,
  kJob,
  kPageAllocator,
  kHeap,
  kLeaf,  // takes nothing while held
};

}  // namespace zrun
