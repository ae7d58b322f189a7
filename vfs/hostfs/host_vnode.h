#pragma once
#include <array>

#include "vfs/file_description.h"
#include "vfs/hostfs/host_changes.h"
#include "vfs/hostfs/host_locks.h"
#include "vfs/hostfs/hostfs.h"

namespace zrun::vfs {

class HostVnode;

class HostFileSystem final : public FileSystem {
 public:
  HostFileSystem(bool read_only) : read_only_(read_only) {}
  ~HostFileSystem() override;
  std::string_view type_name() const override { return "hostfs"; }
  RefPtr<Vnode> Root() override { return root_; }
  Result<StatFs> GetStatFs() override;
  bool is_read_only() const override { return read_only_; }

  Result<void> SetRoot(hal::HostNode node);
  // The one vnode of a host file; takes |node| over, which is |name| in |parent| if it has one.
  Result<RefPtr<HostVnode>> GetVnode(hal::HostNode node, const HostVnode* parent = nullptr,
                                     std::string_view name = {}) EXCLUDES(lock_);
  // The vnode of that file if there is one.
  RefPtr<HostVnode> FindVnode(uint64_t device, uint64_t inode) EXCLUDES(lock_);
  void Forget(HostVnode& vnode) EXCLUDES(lock_);
  // Gives a file that was just made the guest's owner, where the host lets us.
  void SetOwner(hal::HostNode node, const HostPlace& place, uint32_t uid, uint32_t gid);
  // Each vnode holds a descriptor of the host: lets go of names and open files that are only
  // cached.
  void DropCaches() EXCLUDES(lock_);
  // A name's node, without what is only cached if there are no descriptors left otherwise.
  Result<hal::HostNode> Lookup(hal::HostNode directory, std::string_view name) EXCLUDES(lock_);
  Result<hal::HostNode> Create(const HostVnode& directory, std::string_view name, uint32_t mode)
      EXCLUDES(lock_);
  // A closed vnode's open host file: kept for the next who opens it, since that would cost the
  // broker's time, among the last few. Keep() takes it over. Take(): the vnode's, if it is kept and
  // nobody has changed who may open it.
  void Keep(const HostVnode& vnode, hal::HostNode open_node) EXCLUDES(lock_);
  hal::HostNode Take(const HostVnode& vnode) EXCLUDES(lock_);

 private:
  static constexpr size_t kBuckets = 256;
  static constexpr uint32_t kManyNodes = 512;
  static constexpr size_t kMostKept = 64;
  struct KeptNode {
    const HostVnode* vnode = nullptr;
    hal::HostNode node = hal::kNoHostNode;
    hal::Nanoseconds ctime = 0;
  };
  void LimitNodes();
  HostVnode* Find(uint64_t device, uint64_t inode) REQUIRES(lock_);
  const bool read_only_;
  RefPtr<Vnode> root_;
  hal::HostNode root_node_ = hal::kNoHostNode;
  std::atomic<bool> may_change_owner_{true};
  std::atomic<uint32_t> node_count_{0}, node_limit_{kManyNodes};
  Mutex lock_{LockRank::kFileSystem};
  std::array<HostVnode*, kBuckets> buckets_ GUARDED_BY(lock_){};
  std::array<KeptNode, kMostKept> kept_ GUARDED_BY(lock_){};
  size_t next_kept_ GUARDED_BY(lock_) = 0;
};

class HostVnode final : public Vnode {
 public:
  HostVnode(HostFileSystem& fs, hal::HostNode node, const hal::HostAttributes& attributes);
  ~HostVnode() override;
  VnodeType type() const override { return type_; }
  FileSystem& file_system() const override { return fs_; }
  uint64_t inode() const override { return host_inode_; }
  Result<Attributes> GetAttributes() override;
  Result<void> SetAttributes(const AttributeChange& change) override;

  Result<RefPtr<Vnode>> Lookup(std::string_view name) override;
  Result<RefPtr<Vnode>> Create(std::string_view name, uint32_t mode, uint64_t rdev, uint32_t uid,
                               uint32_t gid) override;
  Result<RefPtr<Vnode>> CreateUnnamed(uint32_t mode, uint32_t uid, uint32_t gid) override;
  Result<RefPtr<Vnode>> Symlink(std::string_view name, std::string_view target, uint32_t uid,
                                uint32_t gid) override;
  Result<void> Link(std::string_view name, Vnode& target) override;
  Result<void> Unlink(std::string_view name, Vnode& victim, bool directory) override;
  Result<void> Rename(std::string_view name, Vnode& moved, Vnode& new_parent,
                      std::string_view new_name, Vnode* victim, uint32_t flags) override;
  Result<void> ReadDirectory(uint64_t cursor, DirentSink& sink) override EXCLUDES(open_lock_);
  bool can_lease() const override { return false; }
  bool CacheNames() const override { return false; }
  bool RevalidateNames() const override { return true; }
  uint64_t NamesStamp() override;
  Result<String> ReadLink() override;

  Result<size_t> Read(uint64_t offset, DataSink& sink) override;
  Result<size_t> Write(uint64_t offset, DataSource& source) override EXCLUDES(write_lock_);
  Result<size_t> Append(DataSource& source, uint64_t& offset) override EXCLUDES(write_lock_);
  Result<RefPtr<VmObject>> Contents() override EXCLUDES(open_lock_);
  Result<void> Truncate(uint64_t size) override;
  Result<void> Allocate(uint32_t mode, uint64_t offset, uint64_t size) override;
  Result<uint64_t> SeekData(uint64_t offset, bool data) override;
  Result<void> Sync(bool data_only) override;
  Result<void> Opened(OpenFlags flags) override EXCLUDES(open_lock_);
  void Closed(OpenFlags flags) override EXCLUDES(open_lock_);
  Result<void> BeginWatch() override;
  void EndWatch() override;

  // A directory's own, while it is known; null for others.
  RefPtr<HostVnode> FindParent();
  // How the host tells of its changes: for itself, or as a name of its directory.
  hal::HostNode node() const { return node_; }
  HostPlace self() const { return {host_device_, host_inode_, 0}; }
  HostPlace PlaceOf(std::string_view name) const {
    return {host_device_, host_inode_, HashName(name)};
  }
  HostPlace place() const {
    return {host_device_, place_inode_.load(std::memory_order_relaxed),
            place_name_.load(std::memory_order_relaxed)};
  }

 private:
  friend class HostFileSystem;
  friend class HostWatches;
  void SetPlace(const HostVnode& parent, std::string_view name) {
    place_inode_.store(parent.host_inode_, std::memory_order_relaxed);
    place_name_.store(HashName(name), std::memory_order_relaxed);
  }
  // An open host file, and the object that maps it.
  struct OpenNode {
    hal::HostNode node = hal::kNoHostNode;
    RefPtr<VmObject> contents;
  };
  // Keeps the host file open while it is used by calls that come without an open file.
  class Use;
  Result<hal::HostNode> Reach(bool writable) EXCLUDES(open_lock_);
  Result<hal::HostNode> ReachLocked(bool writable) REQUIRES(open_lock_);
  Result<size_t> WriteLocked(uint64_t offset, DataSource& source) REQUIRES(write_lock_);
  void FollowSize(uint64_t size) EXCLUDES(open_lock_);

  HostFileSystem& fs_;
  const hal::HostNode node_;
  const uint64_t host_device_, host_inode_;
  const VnodeType type_;
  std::atomic<uint64_t> place_inode_{0}, place_name_{0};
  HostWatchEntry* watch_ = nullptr;  // HostWatches' own
  HostVnode* next_ = nullptr;        // in its bucket
  Mutex write_lock_{LockRank::kFileData};
  Mutex open_lock_{LockRank::kVnode};
  uint32_t open_count_ GUARDED_BY(open_lock_) = 0;
  OpenNode reader_ GUARDED_BY(open_lock_), writer_ GUARDED_BY(open_lock_);
  HostLocks host_locks_{node_};
};

}  // namespace zrun::vfs
