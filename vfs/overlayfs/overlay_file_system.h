#pragma once
#include <array>

#include "vfs/file_description.h"
#include "vfs/overlayfs/overlay.h"
#include "vfs/ramfs/ram_directory.h"
#include "vfs/ramfs/ram_regular.h"

namespace zrun::vfs {

class OverlayFileSystem;

// What stands for a file of below: found by that file, kept once it has been changed.
class OverlayNode {
 public:
  OverlayNode(OverlayFileSystem& overlay, RefPtr<Vnode> lower)
      : overlay_(overlay), lower_(std::move(lower)) {}
  Vnode& lower() const { return *lower_; }
  virtual RamVnode& vnode() = 0;

 protected:
  ~OverlayNode() = default;
  // Keeps the node, whether somebody uses it or not.
  void Pin();
  void Unpin();
  void LeaveTable();

 private:
  friend class OverlayFileSystem;
  OverlayFileSystem& overlay_;
  const RefPtr<Vnode> lower_;
  OverlayNode* next_ = nullptr;  // in its bucket
  std::atomic<bool> pinned_{false};
};

class OverlayFileSystem final : public RamFileSystem {
 public:
  OverlayFileSystem(Vector<RefPtr<FileSystem>> lowers, Limits limits)
      : RamFileSystem("overlay", kMagic, limits, LockRank::kOverlay, kFirstInode),
        lowers_(std::move(lowers)) {}
  ~OverlayFileSystem() override;
  Result<StatFs> GetStatFs() override;
  bool allows_whiteout_nodes() const override { return false; }
  Result<void> MakeRoot();

  // The node that stands for |lower|; |layers|: a directory and those it is merged with.
  Result<RefPtr<RamVnode>> NodeOf(RefPtr<Vnode> lower, Vector<RefPtr<Vnode>> layers)
      EXCLUDES(table_lock_);
  // Numbers of below stay as they are in the topmost tree; others get the tree's into their upper
  // bits.
  uint64_t InodeOf(const Vnode& lower) const;
  uint64_t InodeOf(const FileSystem& file_system, uint64_t inode) const;

 private:
  friend class OverlayNode;
  static constexpr uint64_t kMagic = 0x794c7630;  // <linux/magic.h>
  // Numbers for new files lie above those of images.
  static constexpr uint64_t kFirstInode = uint64_t{1} << 40;
  static constexpr size_t kBuckets = 2048;
  static size_t BucketOf(const Vnode& lower) {
    return (reinterpret_cast<uintptr_t>(&lower) >> 6) * 0x9e3779b97f4a7c15u >> 53;
  }
  OverlayNode* Find(const Vnode& lower) REQUIRES(table_lock_);
  Result<RefPtr<RamVnode>> MakeNode(RefPtr<Vnode> lower, Vector<RefPtr<Vnode>> layers,
                                    OverlayNode*& node);
  const Vector<RefPtr<FileSystem>> lowers_;
  Mutex table_lock_{LockRank::kFileSystem};
  std::array<OverlayNode*, kBuckets> buckets_ GUARDED_BY(table_lock_){};
};

class OverlayDirectory final : public RamDirectory, public OverlayNode {
 public:
  OverlayDirectory(OverlayFileSystem& overlay, Vector<RefPtr<Vnode>> layers,
                   const Attributes& attributes);
  ~OverlayDirectory() override { LeaveTable(); }

 private:
  RamVnode& vnode() override { return *this; }
  void BeforeChange() override {
    if (links() > 0) Pin();
  }
  void AfterLastUnlink() override { Unpin(); }
  Vnode* xattr_origin() override { return &lower(); }
  Result<RefPtr<RamVnode>> LookupBelow(std::string_view name) override;
  Result<bool> HasBelow(std::string_view name) override;
  Result<void> VisitBelow(NameVisitor& visitor) override;
  Result<void> ReadBelow(uint64_t cursor, DirentSink& sink) override;
  class BelowSink;
  Result<bool> IsShown(size_t layer, VnodeType type, std::string_view name);
  OverlayFileSystem& overlay() { return static_cast<OverlayFileSystem&>(file_system()); }
  const Vector<RefPtr<Vnode>> layers_;  // the topmost is lower()
};

class OverlayRegular final : public RamRegular, public OverlayNode {
 public:
  OverlayRegular(OverlayFileSystem& overlay, RefPtr<Vnode> lower, const Attributes& attributes);
  ~OverlayRegular() override { LeaveTable(); }
  Result<RefPtr<FileDescription>> Open(const Path& path, OpenFlags flags) override;
  Result<size_t> Read(uint64_t offset, DataSink& sink) override;
  Result<RefPtr<VmObject>> Contents() override;
  Result<uint64_t> SeekData(uint64_t offset, bool data) override;

 private:
  RamVnode& vnode() override { return *this; }
  void BeforeChange() override {
    if (links() > 0) Pin();
  }
  void AfterLastUnlink() override { Unpin(); }
  Vnode* xattr_origin() override { return &lower(); }
  Result<void> Materialize(uint64_t keep) override;
  uint64_t stat_bytes() const override {
    return is_copied() ? RamRegular::stat_bytes() : lower_bytes_;
  }
  bool is_copied() const { return copied_.load(std::memory_order_acquire); }
  std::atomic<bool> copied_{false};
  const uint64_t lower_bytes_;
};

// Symbolic links, devices, FIFOs and sockets.
class OverlaySpecial final : public RamSpecial, public OverlayNode {
 public:
  OverlaySpecial(OverlayFileSystem& overlay, RefPtr<Vnode> lower, const Attributes& attributes);
  ~OverlaySpecial() override { LeaveTable(); }
  Result<String> ReadLink() override { return lower().ReadLink(); }
  std::string_view StableLink() const override { return lower().StableLink(); }

 private:
  RamVnode& vnode() override { return *this; }
  void BeforeChange() override {
    if (links() > 0) Pin();
  }
  void AfterLastUnlink() override { Unpin(); }
  Vnode* xattr_origin() override { return &lower(); }
  uint64_t stat_size() const override { return size_; }
  uint64_t stat_bytes() const override { return 0; }
  const uint64_t size_;
};

}  // namespace zrun::vfs
