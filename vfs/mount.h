#pragma once
#include "base/tree.h"
#include "base/vector.h"
#include "vfs/change_notice.h"
#include "vfs/dentry.h"
#include "vfs/path.h"

namespace zrun::vfs {

enum class MountFlags : uint32_t {  // MS_* of <linux/mount.h>
  kNone = 0,
  kReadOnly = 1,
  kNoSuid = 2,
  kNoDev = 4,
  kNoExec = 8,
  kNoAtime = 1024,
  kNoDirAtime = 2048,
  kRelAtime = 1 << 21,
};

}  // namespace zrun::vfs
template <>
inline constexpr bool zrun::kIsFlags<zrun::vfs::MountFlags> = true;

namespace zrun::vfs {

class MountNamespace;

// A file system (or a subtree of one), attached at a place in a namespace.
class Mount : public RefCounted<Mount>, public ListNode<Mount> {
 public:
  static Result<RefPtr<Mount>> Create(RefPtr<FileSystem> file_system, RefPtr<Dentry> root,
                                      MountFlags flags, std::string_view source);
  // The whole of a file system that was just made.
  static Result<RefPtr<Mount>> CreateFor(RefPtr<FileSystem> file_system, MountFlags flags,
                                         std::string_view source);
  ~Mount();
  FileSystem& file_system() const { return *file_system_; }
  const RefPtr<Dentry>& root() const { return root_; }
  std::string_view source() const { return source_.view(); }
  MountFlags flags() const { return MountFlags(flags_.load(std::memory_order_relaxed)); }
  void set_flags(MountFlags flags) { flags_.store(uint32_t(flags), std::memory_order_relaxed); }
  bool is_read_only() const {
    return HasAny(flags(), MountFlags::kReadOnly) || file_system_->is_read_only();
  }
  int id() const { return id_; }
  // The same, as a number that no mount had before or will have (STATX_MNT_ID_UNIQUE).
  static constexpr uint64_t kFirstUniqueId = uint64_t{1} << 31;  // exclusive
  uint64_t unique_id() const { return kFirstUniqueId + uint64_t(id_); }
  // Where it is attached; an empty Path for the root of a namespace or when detached.
  Path mount_point() const EXCLUDES(place_lock_);

 private:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> zrun::MakeRef(Args&&...);
  friend class MountNamespace;
  Mount(RefPtr<FileSystem> file_system, RefPtr<Dentry> root, MountFlags flags, String source);
  // Returns the old place, for the caller to drop when it holds no lock.
  Path SetMountPoint(Path path) EXCLUDES(place_lock_);
  const RefPtr<FileSystem> file_system_;
  const RefPtr<Dentry> root_;
  const String source_;
  std::atomic<uint32_t> flags_;
  const int id_;
  mutable Mutex place_lock_{LockRank::kLeaf};
  Path mount_point_ GUARDED_BY(place_lock_);  // changes under the namespace's lock only
  // The namespace's, under its lock.
  struct PlaceKey {
    const Mount* mount = nullptr;
    const Dentry* dentry = nullptr;
    bool operator<(const PlaceKey& other) const {
      return mount != other.mount ? mount < other.mount : dentry < other.dentry;
    }
  };
  const MountNamespace* namespace_ = nullptr;  // the one it is in
  // Its node among those that have a place.
  struct PlaceNode : TreeNode<> {
    explicit PlaceNode(Mount& its_mount) : mount(its_mount) {}
    Mount& mount;
    PlaceKey key;  // of mount_point_
  };
  PlaceNode place_{*this};
  size_t children_ = 0;  // mounts whose place is in this one
  bool leaving_ = false;
};

// The mounted directory's place within its file system: "/" unless it was bound.
Result<String> RootWithin(const Mount& mount);

// Files without a name are on no mount.
inline MountFlags MountFlagsOf(const Path& path) {
  return path.mount ? path.mount->flags() : MountFlags::kNone;
}

// The mounts a process sees. A namespace holds a reference on each of its mounts, a mount one on
// the mount it is attached to.
class MountNamespace : public RefCounted<MountNamespace> {
 public:
  static Result<RefPtr<MountNamespace>> Create(RefPtr<Mount> root);
  ~MountNamespace();
  Path root() const EXCLUDES(lock_);
  // Stacks: the latest mount at a place is the one seen. ENOTDIR unless both are directories or
  // neither is; ENOENT if the place was removed; EINVAL if it is in no mount of this namespace;
  // ENOSPC if there are limit() mounts.
  Result<void> Attach(const Path& where, RefPtr<Mount> mount) EXCLUDES(lock_);
  // EBUSY while something is mounted below it or, unless |lazy|, in use: more references than the
  // namespace's and the one in |where|. EINVAL if it is not a mount's root.
  Result<void> Detach(const Path& where, bool lazy) EXCLUDES(lock_);
  // EINVAL if |from| is not a mount's root or the namespace's own, ELOOP below itself.
  Result<void> Move(const Path& from, const Path& to) EXCLUDES(lock_);
  // pivot_root(2): |new_root| becomes the namespace's root, the old one is attached at |put_old|.
  // EBUSY, EINVAL.
  Result<void> Pivot(const Path& new_root, const Path& put_old) EXCLUDES(lock_);
  // The topmost mount at |path|, as a path to its root; |path| itself where there is none.
  Path Descend(Path path) EXCLUDES(lock_);
  // The place a mount's root is attached to; itself at the namespace's root.
  Path Ascend(Path path) EXCLUDES(lock_);
  // All of them, in order of mounting. ENOMEM.
  Result<Vector<RefPtr<Mount>>> List() EXCLUDES(lock_);
  // Told of each change of what List() gives, and of mounts' flags.
  const RefPtr<ChangeNotice>& changes() const { return changes_; }
  // EINVAL if it is (no longer) attached here.
  Result<void> CheckAttached(const Mount& mount) EXCLUDES(lock_);
  // How many mounts there may be (sysctl fs.mount-max).
  static uint32_t limit() { return limit_.load(std::memory_order_relaxed); }
  static void SetLimit(uint32_t limit) { limit_.store(limit, std::memory_order_relaxed); }

 private:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> zrun::MakeRef(Args&&...);
  explicit MountNamespace(RefPtr<ChangeNotice> changes) : changes_(std::move(changes)) {}
  bool Contains(const Mount& mount) REQUIRES(lock_);
  Mount* FindAt(const Mount& mount, const Dentry& dentry) REQUIRES(lock_);
  bool IsBelow(const Mount& mount, const Mount& ancestor) REQUIRES(lock_);
  // Gives a mount its place, or takes it away: the old one is for the caller to drop unlocked.
  void PutAt(Mount& mount, const Path& where) REQUIRES(lock_);
  Path TakeFromPlace(Mount& mount) REQUIRES(lock_);
  struct PlaceTraits {
    static Mount::PlaceKey KeyOf(const Mount::PlaceNode& place) { return place.key; }
  };
  static constinit std::atomic<uint32_t> limit_;
  mutable Mutex lock_{LockRank::kMount};
  IntrusiveList<Mount, Mount> mounts_ GUARDED_BY(lock_);          // a reference on each
  Tree<Mount::PlaceNode, PlaceTraits> places_ GUARDED_BY(lock_);  // those with a place, by it
  size_t count_ GUARDED_BY(lock_) = 0;
  RefPtr<Mount> root_ GUARDED_BY(lock_);
  const RefPtr<ChangeNotice> changes_;
};

}  // namespace zrun::vfs
