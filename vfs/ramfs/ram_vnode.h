#pragma once
#include "objects/task/call_time.h"
#include "vfs/ramfs/ram_file_system.h"

namespace zrun::vfs {

// What all files of a RamFileSystem have: attributes and extended attributes.
class RamVnode : public Vnode, public ListNode<RamVnode> {
 public:
  ~RamVnode() override;
  VnodeType type() const final { return type_; }
  FileSystem& file_system() const final { return fs_; }
  uint64_t inode() const final { return inode_; }
  Result<Attributes> GetAttributes() override;
  Result<void> SetAttributes(const AttributeChange& change) override;
  Result<Ownership> GetOwnership() final {
    return Ownership{mode_.load(std::memory_order_relaxed), uid_.load(std::memory_order_relaxed),
                     gid_.load(std::memory_order_relaxed)};
  }
  void NoteAccess() final;
  Result<uint32_t> GetFlags() final { return inode_flags(); }
  Result<void> SetFlags(uint32_t flags) final;
  Result<size_t> GetXattr(std::string_view name, std::span<std::byte> value) final;
  Result<void> SetXattr(std::string_view name, std::span<const std::byte> value,
                        uint32_t flags) final;
  Result<void> RemoveXattr(std::string_view name) final;
  Result<size_t> ListXattr(std::span<char> names) final;

  uint32_t links() const { return links_.load(std::memory_order_relaxed); }
  // Names come and go (the tree's lock is held); the change time follows.
  Result<void> AddLink(uint32_t count = 1);
  void RemoveLink(uint32_t count = 1);
  // The times of changed contents, and of changed attributes.
  void TouchModified();
  void TouchChanged() { ctime_.store(CallTime::Now(), std::memory_order_relaxed); }
  // Called before anything about the file changes: an overlay keeps changed files.
  virtual void BeforeChange() {}
  // The last name is gone.
  virtual void AfterLastUnlink() {}

 protected:
  RamVnode(RamFileSystem& fs, uint64_t inode, uint32_t mode, uint32_t uid, uint32_t gid,
           uint64_t rdev);
  // Takes over everything but the type and the number (an overlay's copy of a lower file).
  void AdoptAttributes(const Attributes& attributes);
  // Where extended attributes come from before the first change; copied then.
  virtual Vnode* xattr_origin() { return nullptr; }
  virtual uint64_t stat_size() const { return 0; }
  virtual uint64_t stat_bytes() const { return stat_size(); }

  RamFileSystem& fs_;

 private:
  struct Xattr {
    String name;
    Vector<std::byte> value;
  };
  // More than this for one file is ENOSPC.
  static constexpr size_t kMaxXattrBytes = 256 * 1024;
  Xattr* FindXattr(std::string_view name) REQUIRES(xattr_lock_);
  Result<void> LoadXattrs() EXCLUDES(xattr_lock_);

  const VnodeType type_;
  const uint64_t inode_;
  const uint64_t rdev_;
  std::atomic<uint32_t> mode_, uid_, gid_;
  std::atomic<uint32_t> links_{0};
  std::atomic<hal::Nanoseconds> atime_, mtime_, ctime_;
  hal::Nanoseconds btime_;
  std::atomic<bool> xattrs_loaded_{false};
  mutable Mutex xattr_lock_{LockRank::kVnode};
  Vector<Xattr> xattrs_ GUARDED_BY(xattr_lock_);
  size_t xattr_bytes_ GUARDED_BY(xattr_lock_) = 0;
};

// Symbolic links.
class RamLink final : public RamVnode {
 public:
  static Result<RefPtr<RamVnode>> Create(RamFileSystem& fs, std::string_view target, uint32_t uid,
                                         uint32_t gid);
  ~RamLink() override { fs_.ChargeBytes(-int64_t(stat_bytes())); }
  Result<String> ReadLink() override { return target_.Clone(); }
  std::string_view StableLink() const override { return target_; }

 private:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> zrun::MakeRef(Args&&...);
  using RamVnode::RamVnode;
  // As on Linux a target that is not short has a page, which counts.
  static constexpr size_t kShort = 127;
  static uint64_t PagesFor(std::string_view target) {
    return target.size() > kShort ? hal::kPageSize : 0;
  }
  uint64_t stat_size() const override { return target_.size(); }
  uint64_t stat_bytes() const override { return PagesFor(target_); }
  String target_;
};

// Devices, FIFOs and sockets.
class RamSpecial : public RamVnode {
 public:
  static Result<RefPtr<RamVnode>> Create(RamFileSystem& fs, uint32_t mode, uint64_t rdev,
                                         uint32_t uid, uint32_t gid);

 protected:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> zrun::MakeRef(Args&&...);
  using RamVnode::RamVnode;
};

}  // namespace zrun::vfs
