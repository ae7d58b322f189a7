#include "vfs/hostfs/host_locks.h"

namespace zrun::vfs {
namespace {

bool IsFlock(const FileLock& lock) { return lock.owner.kind == FileLockOwner::Kind::kFlock; }

hal::HostLockRange ToHost(const FileLock& lock) {
  return {lock.exclusive ? hal::HostLockKind::kExclusive : hal::HostLockKind::kShared, lock.first,
          lock.last};
}

}  // namespace

// To hold a file open for writing keeps others from executing it: only where it must be.
Result<void> HostLocks::OpenRecords() {
  if (records_ == hal::kNoHostNode) records_ = TRY(hal::HostOpen(node_, false));
  return {};
}

// Those held so far are shared ones, which the old open file and the new may both hold.
Result<void> HostLocks::OpenWritable(std::span<const FileLock> held) {
  const hal::HostNode fresh = TRY(hal::HostOpen(node_, true));
  for (const FileLock& lock : held) {
    if (IsFlock(lock)) continue;
    const auto locked = hal::HostLockBytes(fresh, ToHost(lock));
    if (locked.ok()) continue;
    hal::HostClose(fresh);
    return locked;
  }
  hal::HostClose(records_);
  records_ = fresh;
  writable_ = true;
  return {};
}

Result<void> HostLocks::Set(const FileLock& lock, std::span<const FileLock> held) {
  MutexLock guard(lock_);
  if (IsFlock(lock)) {
    if (whole_ == hal::kNoHostNode) whole_ = TRY(hal::HostOpen(node_, false));
    return hal::HostLockFile(whole_, ToHost(lock).kind);
  }
  if (lock.exclusive && !writable_) {
    TRY(OpenWritable(held));
  } else {
    TRY(OpenRecords());
  }
  return hal::HostLockBytes(records_, ToHost(lock));
}

void HostLocks::Clear(const FileLock& range) {
  MutexLock guard(lock_);
  const hal::HostNode holder = IsFlock(range) ? whole_ : records_;
  if (holder == hal::kNoHostNode) return;
  const auto cleared =
      IsFlock(range)
          ? hal::HostLockFile(holder, hal::HostLockKind::kNone)
          : hal::HostLockBytes(holder, {hal::HostLockKind::kNone, range.first, range.last});
  static_cast<void>(cleared);  // the host is out of memory: it goes when the file is closed
}

Result<std::optional<FileLock>> HostLocks::FindConflict(const FileLock& lock) {
  std::optional<FileLock> found;
  if (IsFlock(lock)) return found;
  MutexLock guard(lock_);
  TRY(OpenRecords());
  const hal::HostLockConflict conflict = TRY(hal::HostFindLock(records_, ToHost(lock)));
  if (conflict.kind == hal::HostLockKind::kNone) return found;
  found.emplace();
  found->exclusive = conflict.kind == hal::HostLockKind::kExclusive;
  found->first = conflict.first;
  found->last = conflict.last;
  // A process of the host's has no number here: as on Linux, for one of another pid namespace.
  found->process_id = conflict.of_process ? 0 : -1;
  return found;
}

void HostLocks::Close() {
  MutexLock guard(lock_);
  hal::HostClose(std::exchange(records_, hal::kNoHostNode));
  hal::HostClose(std::exchange(whole_, hal::kNoHostNode));
  writable_ = false;
}

}  // namespace zrun::vfs
