#include "vfs/leases.h"

#include <algorithm>

#include "objects/sync/made_once.h"

namespace zrun::vfs {

namespace internal {
constinit std::atomic<uint32_t> lease_count{0};
}  // namespace internal

constinit Setting lease_break_time{45, 0, INT32_MAX};
constinit Setting leases_enable{1, 0, 1};

namespace {

constexpr size_t kBuckets = 64;

// At most one for an open file, which it ends with.
struct Lease : public ListNode<> {
  FileDescription* file = nullptr;
  uintptr_t vnode = 0;  // its identity
  LeaseType type = LeaseType::kNone;
  // What those who were told are to make of it, and until when: then it is made so.
  bool unlock_pending = false, downgrade_pending = false;
  hal::Deadline unlock_at = hal::Deadline::Never(), downgrade_at = hal::Deadline::Never();
  int32_t process_id = 0;
  RefPtr<FileMessenger> messenger;

  bool is_breaking() const { return unlock_pending || downgrade_pending; }
  LeaseType target() const {
    if (unlock_pending) return LeaseType::kNone;
    return downgrade_pending ? LeaseType::kRead : type;
  }
  bool Conflicts(bool for_writing) const { return for_writing || type == LeaseType::kWrite; }
};
using LeaseList = IntrusiveList<Lease>;

void FreeLeases(LeaseList& leases) {
  while (Lease* const lease = leases.PopFront()) OwnPtr<Lease> freed(lease);
}

bool HasPassed(hal::Deadline deadline) {
  return !deadline.is_never() && hal::MonotonicNow() >= deadline.at;
}

}  // namespace

// All leases and those who wait for them, by file.
class LeaseTable {
 public:
  Result<void> Set(FileDescription& file, LeaseType type, OwnPtr<Lease> fresh, LeaseList& dropped)
      EXCLUDES(lock_);
  LeaseType Get(FileDescription& file, LeaseList& dropped) EXCLUDES(lock_);
  // Puts |wait| among those who wait and returns true if a lease is in the way; EAGAIN in place of
  // that without one.
  Result<bool> Break(uintptr_t vnode, bool for_writing, LeaseWait* wait, LeaseList& dropped)
      EXCLUDES(lock_);
  void Drop(FileDescription& file, LeaseList& dropped) EXCLUDES(lock_);
  void Leave(LeaseWait& wait) EXCLUDES(lock_);
  Result<Vector<LeaseInfo>> List(uintptr_t vnode) EXCLUDES(lock_);

 private:
  struct Bucket {
    LeaseList leases;
    IntrusiveList<LeaseWait> waits;
  };
  Bucket& BucketOf(uintptr_t vnode) REQUIRES(lock_) {
    return buckets_[(vnode >> 6 ^ vnode >> 14) % kBuckets];
  }
  Lease* Find(const FileDescription& file, uintptr_t vnode) REQUIRES(lock_);
  Result<void> CheckOthers(const FileDescription& file, Vnode& vnode, LeaseType type)
      REQUIRES(lock_);
  Result<void> Add(OwnPtr<Lease> lease, Vnode& vnode) REQUIRES(lock_);
  void Expire(uintptr_t vnode, LeaseList& dropped) REQUIRES(lock_);
  void Change(Lease& lease, LeaseType type, LeaseList& dropped) REQUIRES(lock_);
  void WakeWaits(uintptr_t vnode) REQUIRES(lock_);
  void Tell(uintptr_t vnode, bool for_writing) REQUIRES(lock_);

  Mutex lock_{LockRank::kFileSystem};
  Bucket buckets_[kBuckets] GUARDED_BY(lock_);
};

namespace {
constinit MadeOnce<LeaseTable> g_table;

Vnode& VnodeOf(const FileDescription& file) { return *file.path().dentry->vnode(); }
uintptr_t KeyOf(const FileDescription& file) { return VnodeOf(file).identity(); }
}  // namespace

Lease* LeaseTable::Find(const FileDescription& file, uintptr_t vnode) {
  for (Lease& lease : BucketOf(vnode).leases)
    if (lease.file == &file) return &lease;
  return nullptr;
}

void LeaseTable::WakeWaits(uintptr_t vnode) {
  for (LeaseWait& wait : BucketOf(vnode).waits)
    if (wait.file_ == vnode) wait.Wake();
}

// As the holder asks, or as the time that has passed does.
void LeaseTable::Change(Lease& lease, LeaseType type, LeaseList& dropped) {
  const uintptr_t vnode = lease.vnode;
  if (type != LeaseType::kWrite) {
    lease.downgrade_pending = false;
    lease.downgrade_at = hal::Deadline::Never();
  }
  lease.type = type;
  if (type == LeaseType::kNone) {
    FileDescription& file = *lease.file;
    file.owner_id.store(0);
    file.owner_signal.store(0);
    lease.Unlink();
    internal::lease_count.fetch_sub(1);
    dropped.PushBack(lease);
  }
  WakeWaits(vnode);
}

void LeaseTable::Expire(uintptr_t vnode, LeaseList& dropped) {
  LeaseList& leases = BucketOf(vnode).leases;
  Lease* next = nullptr;
  for (Lease* lease = leases.front(); lease; lease = next) {
    next = leases.NextOf(*lease);
    if (lease->vnode != vnode || !lease->is_breaking()) continue;
    if (HasPassed(lease->unlock_at)) {
      Change(*lease, LeaseType::kNone, dropped);
    } else if (HasPassed(lease->downgrade_at)) {
      Change(*lease, LeaseType::kRead, dropped);
    }
  }
}

// Those who have the file open in a way that a lease of |file| would have to know of.
Result<void> LeaseTable::CheckOthers(const FileDescription& file, Vnode& vnode, LeaseType type) {
  if (type == LeaseType::kRead) {
    if (vnode.writers() > 0) return Errno::kEAGAIN;
    return {};
  }
  const int32_t own_writers = file.writable() ? 1 : 0;
  const int32_t own_readers = !file.writable() && file.readable() ? 1 : 0;
  if (vnode.writers() != own_writers || vnode.readers() != own_readers) return Errno::kEAGAIN;
  return {};
}

Result<void> LeaseTable::Add(OwnPtr<Lease> lease, Vnode& vnode) {
  if (leases_enable.get() == 0) return Errno::kEINVAL;
  const FileDescription& file = *lease->file;
  const LeaseType type = lease->type;
  Lease& added = *lease.release();
  BucketOf(added.vnode).leases.PushBack(added);
  internal::lease_count.fetch_add(1, std::memory_order_seq_cst);
  // Who opens the file counts first and looks for leases then: one of us sees the other.
  if (const auto free = CheckOthers(file, vnode, type); !free.ok()) {
    added.Unlink();
    internal::lease_count.fetch_sub(1);
    lease.reset(&added);
    return free;
  }
  return {};
}

Result<void> LeaseTable::Set(FileDescription& file, LeaseType type, OwnPtr<Lease> fresh,
                             LeaseList& dropped) {
  Vnode& vnode = VnodeOf(file);
  const uintptr_t key = vnode.identity();
  MutexLock lock(lock_);
  Lease* const own = Find(file, key);
  if (type == LeaseType::kNone) {
    if (!own) return Errno::kEAGAIN;
    Change(*own, type, dropped);
    return {};
  }
  Expire(key, dropped);
  TRY(CheckOthers(file, vnode, type));
  for (const Lease& other : BucketOf(key).leases) {
    if (other.vnode != key || other.file == &file) continue;
    // Nobody has a lease for himself beside others', nor comes to one that has to go.
    if (type == LeaseType::kWrite || other.unlock_pending) return Errno::kEAGAIN;
  }
  if (Lease* const kept = Find(file, key)) {
    std::swap(kept->messenger, fresh->messenger);  // the old one goes without the lock
    Change(*kept, type, dropped);
    dropped.PushBack(*fresh.release());
    return {};
  }
  return Add(std::move(fresh), vnode);
}

LeaseType LeaseTable::Get(FileDescription& file, LeaseList& dropped) {
  const uintptr_t key = KeyOf(file);
  MutexLock lock(lock_);
  Expire(key, dropped);
  const Lease* const lease = Find(file, key);
  return lease ? lease->target() : LeaseType::kNone;
}

void LeaseTable::Tell(uintptr_t vnode, bool for_writing) {
  const int64_t seconds = lease_break_time.get();
  const hal::Deadline deadline = seconds == 0
                                     ? hal::Deadline::Never()
                                     : hal::Deadline{hal::MonotonicNow() + seconds * hal::kSecond};
  for (Lease& lease : BucketOf(vnode).leases) {
    if (lease.vnode != vnode || !lease.Conflicts(for_writing)) continue;
    if (for_writing ? lease.unlock_pending : lease.is_breaking()) continue;
    if (for_writing) {
      lease.unlock_pending = true;
      lease.unlock_at = deadline;
    } else {
      lease.downgrade_pending = true;
      lease.downgrade_at = deadline;
    }
    lease.messenger->Tell(*lease.file);
  }
}

Result<bool> LeaseTable::Break(uintptr_t vnode, bool for_writing, LeaseWait* wait,
                               LeaseList& dropped) {
  MutexLock lock(lock_);
  Expire(vnode, dropped);
  Tell(vnode, for_writing);
  bool in_the_way = false;
  hal::Deadline deadline = hal::Deadline::Never();
  for (const Lease& lease : BucketOf(vnode).leases) {
    if (lease.vnode != vnode || !lease.Conflicts(for_writing)) continue;
    in_the_way = true;
    deadline.at = std::min({deadline.at, lease.unlock_at.at, lease.downgrade_at.at});
  }
  if (!in_the_way) return false;
  if (!wait) return Errno::kEAGAIN;
  wait->file_ = vnode;
  wait->deadline_ = deadline;
  BucketOf(vnode).waits.PushBack(*wait);
  return true;
}

void LeaseTable::Drop(FileDescription& file, LeaseList& dropped) {
  const uintptr_t key = KeyOf(file);
  MutexLock lock(lock_);
  if (Lease* const lease = Find(file, key)) Change(*lease, LeaseType::kNone, dropped);
}

void LeaseTable::Leave(LeaseWait& wait) {
  MutexLock lock(lock_);
  if (wait.is_linked()) wait.Unlink();
}

Result<Vector<LeaseInfo>> LeaseTable::List(uintptr_t vnode) {
  Vector<LeaseInfo> found;
  MutexLock lock(lock_);
  for (const Lease& lease : BucketOf(vnode).leases)
    if (lease.vnode == vnode)
      TRY(found.PushBack({lease.target(), lease.is_breaking(), lease.process_id, lease.file}));
  return found;
}

LeaseWait::~LeaseWait() {
  g_table.Get().Leave(*this);
  if (writing_) writing_->RemoveWriter();
}

Result<void> SetLease(FileDescription& file, LeaseType type, int32_t process_id,
                      RefPtr<FileMessenger> messenger) {
  const auto vnode = file.path().vnode();
  if (!vnode || vnode->type() != VnodeType::kRegular || !vnode->can_lease()) return Errno::kEINVAL;
  auto fresh = TRY(MakeOwned<Lease>());
  fresh->file = &file;
  fresh->vnode = vnode->identity();
  fresh->type = type;
  fresh->process_id = process_id;
  fresh->messenger = std::move(messenger);
  LeaseList dropped;
  const auto set = g_table.Get().Set(file, type, std::move(fresh), dropped);
  FreeLeases(dropped);
  return set;
}

LeaseType GetLease(FileDescription& file) {
  if (internal::lease_count.load() == 0 || !file.path().vnode()) return LeaseType::kNone;
  LeaseList dropped;
  const LeaseType type = g_table.Get().Get(file, dropped);
  FreeLeases(dropped);
  return type;
}

Result<Vector<LeaseInfo>> ListLeases(const Vnode& vnode) {
  if (internal::lease_count.load() == 0) return Vector<LeaseInfo>();
  return g_table.Get().List(vnode.identity());
}

namespace internal {

Result<RefPtr<LeaseWait>> BreakLeasesSlow(Vnode& vnode, bool for_writing, bool waits) {
  RefPtr<LeaseWait> wait;
  if (waits) wait = TRY(MakeRef<LeaseWait>());
  LeaseList dropped;
  const auto blocked = g_table.Get().Break(vnode.identity(), for_writing, wait.get(), dropped);
  FreeLeases(dropped);
  if (!TRY(blocked)) wait = nullptr;
  return wait;
}

void DropLeaseSlow(FileDescription& file) {
  LeaseList dropped;
  g_table.Get().Drop(file, dropped);
  FreeLeases(dropped);
}

}  // namespace internal

}  // namespace zrun::vfs
