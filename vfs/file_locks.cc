#include "vfs/file_locks.h"

namespace zrun::vfs {
namespace {

constexpr uint32_t kMaxLocks = 1 << 18;  // of all files
constinit std::atomic<uint32_t> lock_count{0};

// Processes that wait for each other, over all files.
constinit Mutex graph_lock{LockRank::kLeaf};
using WaitList = IntrusiveList<FileLockWait, FileLockWait>;
alignas(WaitList) constinit std::byte graph_storage[sizeof(WaitList)]{};
constinit bool graph_ready = false;
WaitList& Graph() REQUIRES(graph_lock) {
  // A list's head points to itself, which no constant initialiser can write for this layout.
  if (!graph_ready) {
    new (graph_storage) WaitList;
    graph_ready = true;
  }
  return *reinterpret_cast<WaitList*>(graph_storage);
}

bool Overlaps(const FileLock& a, const FileLock& b) {
  return a.first <= b.last && b.first <= a.last;
}
bool Touches(const FileLock& a, const FileLock& b) {
  return (a.last >= b.first || a.last + 1 == b.first) &&
         (b.last >= a.first || b.last + 1 == a.first);
}
bool IsFlock(const FileLock& lock) { return lock.owner.kind == FileLockOwner::Kind::kFlock; }

}  // namespace

FileLocks::~FileLocks() {
  lock_count.fetch_sub(uint32_t(locks_.size()), std::memory_order_relaxed);
}

void FileLocks::SetOuter(OuterLocks& outer) {
  MutexLock guard(lock_);
  outer_ = &outer;
}

const FileLock* FileLocks::Conflict(const FileLock& lock) const {
  for (const FileLock& held : locks_) {
    if (held.owner == lock.owner || IsFlock(held) != IsFlock(lock)) continue;
    if ((held.exclusive || lock.exclusive) && Overlaps(held, lock)) return &held;
  }
  return nullptr;
}

// As Linux keeps them: owner by owner, as they came; each one's locks from the start of the file.
const FileLock* FileLocks::FirstConflict(const FileLock& lock) const {
  const FileLock* first = Conflict(lock);
  if (!first) return nullptr;
  for (const FileLock& held : locks_) {
    if (held.owner != first->owner || held.first >= first->first || !Overlaps(held, lock)) continue;
    if (held.exclusive || lock.exclusive) first = &held;
  }
  return first;
}

// Takes |range| out of its owner's locks. With |merged|: locks of the same kind that overlap or
// touch it are joined to it instead.
Result<void> FileLocks::Carve(const FileLock& range, FileLock* merged) {
  if (!locks_.Reserve(locks_.size() + 2).ok()) return Errno::kENOLCK;
  for (size_t i = 0; i < locks_.size();) {
    FileLock& held = locks_[i];
    if (held.owner != range.owner) {
      i++;
      continue;
    }
    bool remove = false;
    if (merged && held.exclusive == merged->exclusive) {
      if (Touches(held, range)) {
        merged->first = std::min(merged->first, held.first);
        merged->last = std::max(merged->last, held.last);
        remove = true;
      }
    } else if (Overlaps(held, range)) {
      const bool left = held.first<range.first, right = held.last> range.last;
      if (left && right) {
        FileLock rest = held;
        rest.first = range.last + 1;
        held.last = range.first - 1;
        static_cast<void>(locks_.PushBack(rest));  // reserved; only one lock can need it
        lock_count.fetch_add(1, std::memory_order_relaxed);
      } else if (left) {
        held.last = range.first - 1;
      } else if (right) {
        held.first = range.last + 1;
      } else {
        remove = true;
      }
    }
    if (!remove) {
      i++;
      continue;
    }
    locks_[i] = locks_.back();
    locks_.PopBack();
    lock_count.fetch_sub(1, std::memory_order_relaxed);
  }
  return {};
}

Result<void> FileLocks::SetLocked(const FileLock& lock) {
  if (lock_count.load(std::memory_order_relaxed) >= kMaxLocks) return Errno::kENOLCK;
  if (!locks_.Reserve(locks_.size() + 2).ok()) return Errno::kENOLCK;
  if (outer_) TRY(outer_->Set(lock, locks_));
  FileLock merged = lock;
  TRY(Carve(lock, &merged));
  static_cast<void>(locks_.PushBack(merged));  // reserved
  lock_count.fetch_add(1, std::memory_order_relaxed);
  // Going from exclusive to shared lets others in.
  WakeAll();
  return {};
}

// Tells the outside what nobody here holds any more: the parts of |range| that no lock of its
// family covers.
void FileLocks::ReleaseOuter(const FileLock& range) {
  if (!outer_) return;
  for (uint64_t at = range.first; at <= range.last;) {
    uint64_t end = range.last;  // of the part that begins at |at|
    bool covered = false;
    for (const FileLock& held : locks_) {
      if (IsFlock(held) != IsFlock(range) || held.last < at || held.first > end) continue;
      covered = held.first <= at;
      end = covered ? held.last : held.first - 1;
      if (covered) break;
    }
    if (!covered) {
      FileLock part = range;
      part.first = at;
      part.last = end;
      outer_->Clear(part);
    }
    at = end + 1;
  }
}

// flock(2): to convert a lock is to give up the old one first, also when the new one fails.
void FileLocks::DropOld(const FileLock& lock) {
  if (!IsFlock(lock)) return;
  static_cast<void>(Carve(lock, nullptr));  // whole files: nothing is split
  ReleaseOuter(lock);
  WakeAll();
}

Result<void> FileLocks::Set(const FileLock& lock) {
  MutexLock guard(lock_);
  if (!Conflict(lock)) {
    const auto set = SetLocked(lock);
    if (set.ok() || set.error() != Errno::kEAGAIN) return set;
  }
  DropOld(lock);
  return Errno::kEAGAIN;
}

Result<RefPtr<FileLockWait>> FileLocks::SetOrWait(Vnode& vnode, const FileLock& lock) {
  // Made before the lock is taken, dropped after: its destructor takes it too.
  RefPtr<FileLockWait> wait;
  MutexLock guard(lock_);
  FileLockOwner holder;  // nobody here: somebody outside
  if (const FileLock* conflict = Conflict(lock)) {
    holder = conflict->owner;
  } else {
    const auto set = SetLocked(lock);
    if (set.ok()) return wait;
    if (set.error() != Errno::kEAGAIN) return set.error();
  }
  DropOld(lock);
  const bool by_process = lock.owner.kind == FileLockOwner::Kind::kProcess;
  if (by_process && FileLockWait::WouldDeadlock(lock.owner, holder)) return Errno::kEDEADLK;
  wait = TRY(MakeRef<FileLockWait>(RefPtr<Vnode>(&vnode), *this, lock.owner, holder));
  waits_.PushBack(*wait);
  return wait;
}

Result<void> FileLocks::Clear(const FileLock& range) {
  MutexLock guard(lock_);
  TRY(Carve(range, nullptr));
  ReleaseOuter(range);
  WakeAll();
  return {};
}

void FileLocks::ClearAll(FileLockOwner owner) {
  MutexLock guard(lock_);
  bool changed = false;
  for (size_t i = 0; i < locks_.size();) {
    if (locks_[i].owner != owner) {
      i++;
      continue;
    }
    locks_[i] = locks_.back();
    locks_.PopBack();
    lock_count.fetch_sub(1, std::memory_order_relaxed);
    changed = true;
  }
  if (!changed) return;
  FileLock all;
  all.owner = owner;
  ReleaseOuter(all);
  WakeAll();
}

Result<std::optional<FileLock>> FileLocks::FindConflict(const FileLock& lock) {
  MutexLock guard(lock_);
  std::optional<FileLock> found;
  if (const FileLock* conflict = FirstConflict(lock)) {
    found = *conflict;
  } else if (outer_) {
    found = TRY(outer_->FindConflict(lock));
  }
  return found;
}

Result<Vector<FileLock>> FileLocks::List() {
  Vector<FileLock> locks;
  MutexLock guard(lock_);
  TRY(locks.Reserve(locks_.size()));
  for (const FileLock& lock : locks_) TRY(locks.PushBack(lock));
  return locks;
}

void FileLocks::WakeAll() {
  for (FileLockWait& wait : waits_) wait.Wake();
}

FileLockWait::FileLockWait(RefPtr<Vnode> vnode, FileLocks& locks, FileLockOwner waiter,
                           FileLockOwner holder)
    : KernelObject(ObjectType::kEvent),
      vnode_(std::move(vnode)),
      locks_(locks),
      waiter_(waiter),
      holder_(holder) {
  MutexLock lock(graph_lock);
  Graph().PushBack(*this);
}

FileLockWait::~FileLockWait() {
  {
    MutexLock lock(graph_lock);
    Graph().Remove(*this);
  }
  MutexLock lock(locks_.lock_);
  static_cast<ListNode<FileLocks>*>(this)->Unlink();
}

// Follows who waits for whom from |holder| on. A chain longer than there are waits is a circle of
// others, which is not ours to report.
bool FileLockWait::WouldDeadlock(FileLockOwner waiter, FileLockOwner holder) {
  MutexLock lock(graph_lock);
  constexpr int kMaxSteps = 1000;
  for (int step = 0; step < kMaxSteps; step++) {
    if (holder == waiter) return true;
    const FileLockWait* next = nullptr;
    for (FileLockWait& wait : Graph()) {
      if (wait.waiter_ == holder && !HasAny(wait.signals(), Signals::kSignaled)) {
        next = &wait;
        break;
      }
    }
    if (!next) return false;
    holder = next->holder_;
  }
  return false;
}

}  // namespace zrun::vfs
