#pragma once
#include <optional>

#include "objects/kernel_object.h"
#include "vfs/vnode.h"

namespace zrun::vfs {

// Who holds an advisory lock. Locks of fcntl(F_SETLK) belong to a process (an opaque identity:
// what its file descriptors share), those of F_OFD_SETLK and flock(2) to an open file.
struct FileLockOwner {
  enum class Kind : uint8_t { kProcess, kDescription, kFlock } kind = Kind::kProcess;
  const void* identity = nullptr;
  friend bool operator==(const FileLockOwner&, const FileLockOwner&) = default;
};
struct FileLock {
  static constexpr uint64_t kToEnd = INT64_MAX;
  FileLockOwner owner;
  bool exclusive = false;
  uint64_t first = 0, last = kToEnd;  // inclusive; flock(2) has the whole file
  int32_t process_id = -1;            // what F_GETLK tells; -1 for an open file's
};

class FileLockWait;

// The advisory locks of one file. flock(2)'s and fcntl(2)'s do not see each other.
class FileLocks {
 public:
  FileLocks() = default;
  ~FileLocks();
  // F_SETLK with F_RDLCK or F_WRLCK, flock(LOCK_NB): EAGAIN while another owner's lock is in the
  // way, ENOLCK.
  Result<void> Set(const FileLock& lock) EXCLUDES(lock_);
  // F_SETLKW: null once the lock is held; otherwise wait for the object to be kSignaled and call
  // again. Dropping the object gives up. EDEADLK where processes would wait in a circle.
  Result<RefPtr<FileLockWait>> SetOrWait(Vnode& vnode, const FileLock& lock) EXCLUDES(lock_);
  // F_UNLCK: |range|'s owner, first and last count. Splitting may need memory: ENOLCK.
  Result<void> Clear(const FileLock& range) EXCLUDES(lock_);
  void ClearAll(FileLockOwner owner) EXCLUDES(lock_);
  // F_GETLK: a lock that is in the way.
  std::optional<FileLock> FindConflict(const FileLock& lock) EXCLUDES(lock_);

 private:
  friend class FileLockWait;
  const FileLock* Conflict(const FileLock& lock) const REQUIRES(lock_);
  Result<void> SetLocked(const FileLock& lock) REQUIRES(lock_);
  Result<void> Carve(const FileLock& range, FileLock* merged) REQUIRES(lock_);
  void WakeAll() REQUIRES(lock_);
  Mutex lock_{LockRank::kVnode};
  Vector<FileLock> locks_ GUARDED_BY(lock_);
  IntrusiveList<FileLockWait, FileLocks> waits_ GUARDED_BY(lock_);
};

// Somebody waiting for a lock; kSignaled when it is worth trying again.
class FileLockWait final : public KernelObject,
                           public ListNode<FileLocks>,
                           public ListNode<FileLockWait> {
 public:
  ~FileLockWait() override;

 private:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> zrun::MakeRef(Args&&...);
  friend class FileLocks;
  FileLockWait(RefPtr<Vnode> vnode, FileLocks& locks, FileLockOwner waiter, FileLockOwner holder);
  static bool WouldDeadlock(FileLockOwner waiter, FileLockOwner holder);
  void Wake() { UpdateSignals(Signals::kNone, Signals::kSignaled); }
  const RefPtr<Vnode> vnode_;  // keeps |locks_|
  FileLocks& locks_;
  const FileLockOwner waiter_, holder_;
};

}  // namespace zrun::vfs
