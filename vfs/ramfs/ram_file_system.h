#pragma once
#include "base/intrusive_list.h"
#include "vfs/file_system.h"

namespace zrun::vfs {

class RamVnode;
class RamDirectory;

// Files that live in memory: tmpfs, ramfs, devtmpfs, and what an overlay changes.
class RamFileSystem : public FileSystem {
 public:
  struct Limits {
    uint64_t bytes = UINT64_MAX;
    uint64_t inodes = UINT64_MAX;
  };
  struct RootOwner {
    uint32_t mode = 0755, uid = 0, gid = 0;
  };
  static Result<RefPtr<RamFileSystem>> Create(std::string_view type_name, uint64_t magic,
                                              Limits limits, RootOwner root);
  ~RamFileSystem() override;
  std::string_view type_name() const override { return type_name_; }
  RefPtr<Vnode> Root() override;
  Result<StatFs> GetStatFs() override;
  void ShowOptions(TextSink& out) override;
  // What ShowOptions() shows; once, before it is mounted.
  void SetShownOptions(String options) { shown_options_ = std::move(options); }

  // One more inode, or ENOSPC; each vnode gives its own back.
  Result<void> ChargeInode();
  void ReleaseInode() { inodes_.fetch_sub(1, std::memory_order_relaxed); }
  uint64_t NextInode() { return next_inode_.fetch_add(1, std::memory_order_relaxed); }
  // Bytes in use, whole pages; files tell how they change.
  void ChargeBytes(int64_t delta) { bytes_.fetch_add(uint64_t(delta), std::memory_order_relaxed); }
  uint64_t free_bytes() const;
  // Whether a guest may make the device node that stands for a whiteout.
  virtual bool allows_whiteout_nodes() const { return true; }
  // Guards all directories of this file system: who is where, and what is removed.
  Mutex& tree_lock() { return tree_lock_; }
  // Drops the reference, without recursion however deep the tree below is.
  void Bury(RefPtr<RamVnode> vnode) EXCLUDES(graves_lock_);

 protected:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> zrun::MakeRef(Args&&...);
  RamFileSystem(std::string_view type_name, uint64_t magic, Limits limits, LockRank tree_rank,
                uint64_t first_inode)
      : type_name_(type_name),
        magic_(magic),
        limits_(limits),
        tree_lock_(tree_rank),
        next_inode_(first_inode) {}
  void SetRoot(RefPtr<Vnode> root) { root_ = std::move(root); }  // a RamDirectory
  void DropTree();

 private:
  const std::string_view type_name_;
  const uint64_t magic_;
  const Limits limits_;
  String shown_options_;
  Mutex tree_lock_;
  std::atomic<uint64_t> next_inode_;
  std::atomic<uint64_t> inodes_{0}, bytes_{0};
  RefPtr<Vnode> root_;
  Mutex graves_lock_{LockRank::kLeaf};
  IntrusiveList<RamVnode, RamVnode> graves_ GUARDED_BY(graves_lock_);
  bool digging_ GUARDED_BY(graves_lock_) = false;
};

}  // namespace zrun::vfs
