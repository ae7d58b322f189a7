#pragma once
#include "base/intrusive_list.h"
#include "base/string.h"
#include "objects/sync/mutex.h"
#include "vfs/vnode.h"

namespace zrun::vfs {

// A name in a tree, cached. A dentry keeps its parent; the cache keeps recently used ones alive.
// The tree's shape (parents, names) changes only under the namespace-wide rename lock and each
// directory's lock.
class Dentry : public RefCounted<Dentry>, public ListNode<Dentry> {
 public:
  // The root of a file system.
  static Result<RefPtr<Dentry>> CreateRoot(RefPtr<Vnode> vnode);
  // A nameless one for anonymous files ("pipe:[5]", "memfd:x").
  static Result<RefPtr<Dentry>> CreateDetached(RefPtr<Vnode> vnode, std::string_view name);
  ~Dentry();

  RefPtr<Dentry> parent() const;  // itself for a root
  Result<String> name() const;    // a copy: rename may change it
  RefPtr<Vnode> vnode() const;    // null if negative
  bool is_root() const;
  bool is_unlinked()
      const;  // removed while still in use: getcwd gives ENOENT, /proc shows " (deleted)"

  // The child |component|, which may be negative. ENOTDIR, or what the file system's Lookup says.
  Result<RefPtr<Dentry>> Lookup(std::string_view component);

  // Name-changing operations: keep cache and file system in step. Called by vfs/namei.h only, which
  // has checked permissions.
  Result<RefPtr<Dentry>> Create(std::string_view name, uint32_t mode, uint64_t rdev, uint32_t uid,
                                uint32_t gid, bool exclusive);
  Result<void> Symlink(std::string_view name, std::string_view target, uint32_t uid, uint32_t gid);
  Result<void> Link(std::string_view name, Vnode& target);
  Result<void> Unlink(std::string_view name, bool directory);
  static Result<void> Rename(Dentry& from, std::string_view name, Dentry& to,
                             std::string_view new_name, uint32_t flags);

  // Mounts attached here, so that walking is quick where there are none.
  bool is_mount_point() const { return mount_count_.load(std::memory_order_acquire) != 0; }
  void AddMountPoint() { mount_count_.fetch_add(1); }
  void RemoveMountPoint() { mount_count_.fetch_sub(1); }

  // Drops what nobody uses (memory pressure, unmount).
  static void ShrinkCache();

 private:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> zrun::MakeRef(Args&&...);
  struct State;
  std::atomic<uint32_t> mount_count_{0};
};

}  // namespace zrun::vfs
