#pragma once
#include "base/string.h"
#include "objects/sync/mutex.h"
#include "vfs/vnode.h"

namespace zrun::vfs {

// A name in a tree, cached: (parent, component) -> Vnode, or nothing (a negative one). What it
// names never changes; creating or removing a file replaces the dentry. A dentry keeps its parent,
// a root keeps its file system, the cache (vfs/dentry_cache.h) keeps recently used ones. Names and
// parents change by rename only: under the file system's rename lock, where directories differ, and
// the directory locks of both.
class Dentry : public RefCounted<Dentry> {
 public:
  // The root of a file system, which must be held; one for each file system (Mount::CreateFor).
  static Result<RefPtr<Dentry>> CreateRoot(RefPtr<Vnode> vnode);
  // A nameless one for anonymous files ("pipe:[5]", "memfd:x").
  static Result<RefPtr<Dentry>> CreateDetached(RefPtr<Vnode> vnode, std::string_view name);
  // One that counts as removed from this directory (O_TMPFILE).
  Result<RefPtr<Dentry>> CreateUnlinked(RefPtr<Vnode> vnode, std::string_view name);
  ~Dentry();
  // Frees a chain of parents without recursion.
  void Release() const;

  RefPtr<Dentry> parent() const EXCLUDES(lock_);  // itself for a root
  Result<String> name() const EXCLUDES(lock_);    // a copy: rename may change it
  static constexpr size_t kMaxName = 255;
  // The same into |out|; returns the size.
  size_t CopyName(char (&out)[kMaxName + 1]) const EXCLUDES(lock_);
  const RefPtr<Vnode>& vnode() const { return vnode_; }  // null if negative
  FileSystem& file_system() const { return *file_system_; }
  bool is_root() const { return kind_ == Kind::kRoot; }
  bool is_detached() const { return kind_ == Kind::kDetached; }
  // Removed while still in use: getcwd gives ENOENT, /proc shows " (deleted)".
  bool is_unlinked() const { return unlinked_.load(std::memory_order_acquire); }

  // The child |component|, which may be negative. ENOTDIR, or what the file system's Lookup says.
  Result<RefPtr<Dentry>> Lookup(std::string_view component);

  // Name-changing operations: keep cache and file system in step. Called by vfs/namei.h only, which
  // has checked permissions.
  struct Created {
    RefPtr<Dentry> dentry;
    bool fresh;  // it was not there before
  };
  Result<Created> CreateOrFind(std::string_view name, uint32_t mode, uint64_t rdev, uint32_t uid,
                               uint32_t gid, bool exclusive) EXCLUDES(directory_lock_);
  Result<RefPtr<Dentry>> Create(std::string_view name, uint32_t mode, uint64_t rdev, uint32_t uid,
                                uint32_t gid, bool exclusive) EXCLUDES(directory_lock_);
  Result<void> Symlink(std::string_view name, std::string_view target, uint32_t uid, uint32_t gid)
      EXCLUDES(directory_lock_);
  Result<void> Link(std::string_view name, Vnode& target) EXCLUDES(directory_lock_);
  // |victim| is what the caller saw under |name| and checked; ESTALE if it is another one now.
  Result<void> Unlink(std::string_view name, Dentry& victim, bool directory)
      EXCLUDES(directory_lock_);
  // |moved| and |victim| (may be negative) likewise. The caller holds the rename lock when the
  // directories differ.
  static Result<void> Rename(Dentry& from, std::string_view name, Dentry& moved, Dentry& to,
                             std::string_view new_name, Dentry* victim, uint32_t flags);

  // Mounts attached here, so that walking is quick where there are none.
  bool is_mount_point() const { return mount_count_.load(std::memory_order_acquire) != 0; }
  void AddMountPoint();
  void RemoveMountPoint() { mount_count_.fetch_sub(1); }

  // Changes with every rename: names collected along a path are good if it did not change.
  static uint64_t RenameGeneration();
  // How many there are; of these, what only the cache keeps, and what names nothing.
  struct Counts {
    uint64_t all = 0, unused = 0, negative = 0;
  };
  static Counts Count();
  // Drops what nobody uses (memory pressure).
  static void ShrinkCache();
  // The same, for one file system: at its last unmount.
  static void ShrinkCache(const FileSystem& file_system);

 private:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> zrun::MakeRef(Args&&...);
  friend class DentryCache;
  enum class Kind : uint8_t { kRoot, kDetached, kChild };
  static constexpr size_t kInlineName = 36;

  Dentry(Kind kind, RefPtr<Vnode> vnode, FileSystem& file_system, RefPtr<Dentry> parent);
  static Result<RefPtr<Dentry>> CreateChild(Dentry& parent, std::string_view name, uint32_t hash,
                                            RefPtr<Vnode> vnode);
  Result<void> SetName(std::string_view name);
  std::string_view name_view() const { return {name_, name_size_}; }
  void MarkUnlinked() { unlinked_.store(true, std::memory_order_release); }
  bool names_are_cached() const { return vnode_->CacheNames(); }
  // A tree that shows what there is (procfs): a name that is not there cannot be made either.
  bool is_live() const { return !vnode_->CacheNames() && !vnode_->RevalidateNames(); }
  // Whether |child|, found in the cache, still says the truth.
  bool Trusts(const Dentry& child) const;
  Result<RefPtr<Dentry>> LookupLocked(std::string_view component, uint32_t hash)
      REQUIRES(directory_lock_);
  Result<RefPtr<Dentry>> Install(RefPtr<Dentry> fresh, RefPtr<Vnode> vnode)
      REQUIRES(directory_lock_);
  Result<void> CheckNameIsFree(std::string_view name, uint32_t hash) REQUIRES(directory_lock_);

  RefPtr<Vnode> vnode_;  // set before others can see the dentry
  FileSystem* const file_system_;
  const RefPtr<FileSystem> keep_file_system_;  // roots and detached ones
  const Kind kind_;
  // Owned by DentryCache, under the lock of the bucket.
  bool hashed_ = false;
  bool kept_ = false;  // the cache holds a reference
  std::atomic<bool> referenced_{false};
  std::atomic<bool> unlinked_{false};
  std::atomic<uint32_t> mount_count_{0};
  std::atomic<uint64_t> stamp_{0};  // the directory's NamesStamp() when this was looked up
  uint32_t hash_ = 0;
  Dentry* next_in_bucket_ = nullptr;

  // Serialises lookups that ask the file system with changes of this directory.
  Mutex directory_lock_{LockRank::kDentry};
  // Guards parent_ and the name. The cache reads them under its bucket's lock instead: they change
  // only while the dentry is not in the cache.
  mutable Mutex lock_{LockRank::kLeaf};
  mutable RefPtr<Dentry> parent_;
  char* name_ = inline_name_;
  uint8_t name_size_ = 0;
  char inline_name_[kInlineName];
};

}  // namespace zrun::vfs
