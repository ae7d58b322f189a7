#pragma once
#include "hal/host_files.h"
#include "vfs/file_locks.h"

namespace zrun::vfs {

// A host file's locks, held by open files of the host that are there for nothing else: what this
// kernel's programs hold together, so that the host and other containers see it. The host drops
// them when the container ends, however it ends.
class HostLocks final : public OuterLocks {
 public:
  explicit HostLocks(hal::HostNode node) : node_(node) {}
  ~HostLocks() { Close(); }
  Result<void> Set(const FileLock& lock, std::span<const FileLock> held) override EXCLUDES(lock_);
  void Clear(const FileLock& range) override EXCLUDES(lock_);
  Result<std::optional<FileLock>> FindConflict(const FileLock& lock) override EXCLUDES(lock_);
  // Nobody has the file open, so nobody holds anything.
  void Close() EXCLUDES(lock_);

 private:
  Result<void> OpenRecords() REQUIRES(lock_);
  Result<void> OpenWritable(std::span<const FileLock> held) REQUIRES(lock_);

  const hal::HostNode node_;
  Mutex lock_{LockRank::kFileSystem};
  // fcntl(2)'s need write access for exclusive ones; flock(2)'s never do.
  hal::HostNode records_ GUARDED_BY(lock_) = hal::kNoHostNode;
  hal::HostNode whole_ GUARDED_BY(lock_) = hal::kNoHostNode;
  bool writable_ GUARDED_BY(lock_) = false;
};

}  // namespace zrun::vfs
