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
  int32_t process_id = -1;            // what F_GETLK and /proc tell; -1 for an open file's
  const void* file = nullptr;         // the open file that it was taken through; an identity
};

// The locks of a file that others than this kernel's programs lock too, as those see them: a shared
// host directory's. To them this kernel is one owner, which holds what its own owners hold
// together; what is between those, FileLocks has settled before it calls. It calls one function at
// a time.
class OuterLocks {
 public:
  // Takes |lock|, which may convert some of what is held; EAGAIN while others are in the way.
  // |held| is what this kernel holds already. |lock.owner.kind| says whether it is flock(2)'s.
  virtual Result<void> Set(const FileLock& lock, std::span<const FileLock> held) = 0;
  virtual void Clear(const FileLock& range) = 0;
  // Of fcntl(2)'s locks: another's that is in the way; its process_id is 0 for a process's.
  virtual Result<std::optional<FileLock>> FindConflict(const FileLock& lock) = 0;

 protected:
  ~OuterLocks() = default;
};

class FileLockWait;

// The advisory locks of one file. flock(2)'s and fcntl(2)'s do not see each other.
class FileLocks {
 public:
  FileLocks() = default;
  ~FileLocks();
  // The file is one that others lock too; before the first lock, and as long as the vnode lives.
  void SetOuter(OuterLocks& outer) EXCLUDES(lock_);
  // F_SETLK with F_RDLCK or F_WRLCK, flock(LOCK_NB): EAGAIN while another owner's lock is in the
  // way, ENOLCK.
  Result<void> Set(const FileLock& lock) EXCLUDES(lock_);
  // F_SETLKW: null once the lock is held; otherwise wait for the object to be kSignaled (or for a
  // while, if it is_outer()) and call again. Dropping the object gives up. EDEADLK where processes
  // would wait in a circle.
  Result<RefPtr<FileLockWait>> SetOrWait(Vnode& vnode, const FileLock& lock) EXCLUDES(lock_);
  // F_UNLCK: |range|'s owner, first and last count. Splitting may need memory: ENOLCK.
  Result<void> Clear(const FileLock& range) EXCLUDES(lock_);
  void ClearAll(FileLockOwner owner) EXCLUDES(lock_);
  // Those that are held, for /proc. ENOMEM.
  Result<Vector<FileLock>> List() EXCLUDES(lock_);
  // F_GETLK: a lock that is in the way.
  Result<std::optional<FileLock>> FindConflict(const FileLock& lock) EXCLUDES(lock_);

 private:
  friend class FileLockWait;
  const FileLock* Conflict(const FileLock& lock) const REQUIRES(lock_);
  const FileLock* FirstConflict(const FileLock& lock) const REQUIRES(lock_);
  Result<void> SetLocked(const FileLock& lock) REQUIRES(lock_);
  Result<void> Carve(const FileLock& range, FileLock* merged) REQUIRES(lock_);
  void ReleaseOuter(const FileLock& range) REQUIRES(lock_);
  void DropOld(const FileLock& lock) REQUIRES(lock_);
  void WakeAll() REQUIRES(lock_);
  Mutex lock_{LockRank::kVnode};
  OuterLocks* outer_ GUARDED_BY(lock_) = nullptr;
  Vector<FileLock> locks_ GUARDED_BY(lock_);
  IntrusiveList<FileLockWait, FileLocks> waits_ GUARDED_BY(lock_);
};

// Somebody waiting for a lock; kSignaled when it is worth trying again.
class FileLockWait final : public KernelObject,
                           public ListNode<FileLocks>,
                           public ListNode<FileLockWait> {
 public:
  ~FileLockWait() override;
  // It waits for somebody outside of this kernel, who tells nobody when he is done.
  bool is_outer() const { return holder_.identity == nullptr; }

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
