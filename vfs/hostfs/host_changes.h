#pragma once
#include <initializer_list>
#include <string_view>

#include "base/intrusive_list.h"
#include "base/ref_ptr.h"
#include "objects/sync/mutex.h"

// What others change beneath shared directories is told to those who watch there (inotify(7),
// F_NOTIFY) by the host's own inotify. What this kernel changes itself it tells itself, so that has
// to be left out of what the host says of it.
namespace zrun::vfs {

class HostVnode;

enum : uint32_t {  // IN_*
  kHostModify = 2,
  kHostAttrib = 4,
  kHostCloseWrite = 8,
  kHostMovedFrom = 0x40,
  kHostMovedTo = 0x80,
  kHostCreate = 0x100,
  kHostDelete = 0x200,
  kHostMoveSelf = 0x800,
  kHostMoved = kHostMovedFrom | kHostMovedTo | kHostMoveSelf,
};

// Whom the host tells of: a watched file or directory itself (|name| 0), or a name in it.
struct HostPlace {
  uint64_t device, inode, name;
  friend bool operator==(const HostPlace&, const HostPlace&) = default;
};
constexpr uint64_t HashName(std::string_view name) {  // FNV-1a; never 0
  uint64_t hash = 0xcbf29ce484222325;
  for (const char letter : name) hash = (hash ^ uint8_t(letter)) * 0x100000001b3;
  return hash | 1;
}

// One vnode's watch on the host.
struct HostWatchEntry : public ListNode<> {
  HostVnode* vnode = nullptr;
  int32_t watch = 0;
  uint32_t count = 0;        // of those who watch the vnode
  RefPtr<HostVnode> parent;  // watched for the vnode's sake
};

class OwnChange;

class HostWatches {
 public:
  static HostWatches& Get();
  static bool Any() { return count_.load(std::memory_order_relaxed) != 0; }
  // ENOSPC, ENOMEM.
  Result<void> Begin(HostVnode& vnode) EXCLUDES(watch_lock_);
  void End(HostVnode& vnode) EXCLUDES(watch_lock_);
  // Tells of what has come, but of what |own| expects.
  void Deliver(const OwnChange* own) REQUIRES(change_lock_) EXCLUDES(watch_lock_);
  // One at a time reads what the host says, or does something of its own that the host tells of.
  Mutex& change_lock() RETURN_CAPABILITY(change_lock_) { return change_lock_; }

 private:
  static constexpr size_t kBuckets = 64;
  struct Record;
  IntrusiveList<HostWatchEntry>& BucketOf(int32_t watch) REQUIRES(watch_lock_) {
    return buckets_[uint32_t(watch) % kBuckets];
  }
  Result<void> BeginOne(HostVnode& vnode, RefPtr<HostVnode>* parent) EXCLUDES(watch_lock_);
  RefPtr<HostVnode> EndOne(HostVnode& vnode) EXCLUDES(watch_lock_);
  HostWatchEntry* FindOther(const HostWatchEntry& entry) REQUIRES(watch_lock_);
  RefPtr<HostVnode> FindWatched(int32_t watch, const HostVnode* after) EXCLUDES(watch_lock_);
  void DeliverOne(const Record& record, std::string_view name, const OwnChange* own)
      REQUIRES(change_lock_);
  void TellRemoved(const HostPlace& place) REQUIRES(change_lock_) EXCLUDES(watch_lock_);
  void TellOverflow() REQUIRES(change_lock_) EXCLUDES(watch_lock_);
  void Tell(HostVnode& vnode, const Record& record, std::string_view name) REQUIRES(change_lock_);

  static std::atomic<uint32_t> count_;
  Mutex change_lock_{LockRank::kVnode};
  Mutex watch_lock_{LockRank::kFileSystem};
  IntrusiveList<HostWatchEntry> buckets_[kBuckets] GUARDED_BY(watch_lock_);
  // The host's cookie of the last name that went, and what it is here.
  uint32_t host_cookie_ GUARDED_BY(change_lock_) = 0, cookie_ GUARDED_BY(change_lock_) = 0;
  const HostVnode* moved_from_ GUARDED_BY(change_lock_) = nullptr;  // an identity
};

// While it lives the caller does something that the host will tell of: |events| at |places|. No
// lock held from kVnode on. Costs one look while nobody watches.
class OwnChange {
 public:
  OwnChange(uint32_t events, std::initializer_list<HostPlace> places);
  ~OwnChange();
  OwnChange(const OwnChange&) = delete;
  OwnChange& operator=(const OwnChange&) = delete;
  bool Expects(const HostPlace& place, uint32_t event) const;

 private:
  static constexpr size_t kMostPlaces = 4;
  const bool active_;
  const uint32_t events_;
  HostPlace places_[kMostPlaces] = {};
};

}  // namespace zrun::vfs
