#pragma once
#include "vfs/file_description.h"

namespace zrun::vfs {

// An open regular file or directory of any file system.
class VnodeFile final : public FileDescription {
 public:
  // ETXTBSY to write what is being executed.
  static Result<RefPtr<FileDescription>> Create(const Path& path, OpenFlags flags);
  // The same, but not one of those whom the file's execution keeps away, nor they it:
  // memfd_create's.
  static Result<RefPtr<FileDescription>> CreateUncounted(const Path& path, OpenFlags flags);
  ~VnodeFile() override;

  Kind kind() const override { return Kind::kVnode; }
  Result<size_t> Read(DataSink& sink) override EXCLUDES(position_lock_);
  Result<size_t> Write(DataSource& source) override EXCLUDES(position_lock_);
  Result<size_t> ReadAt(uint64_t offset, DataSink& sink) override;
  Result<size_t> WriteAt(uint64_t offset, DataSource& source) override;
  Result<uint64_t> Seek(int64_t offset, int whence) override EXCLUDES(position_lock_);
  Result<RefPtr<VmObject>> Mmap() override;
  Result<void> CheckMap(bool shared, hal::Access wanted, hal::Access& allowed) override;
  Result<void> ReadDirectory(DirentSink& sink) override EXCLUDES(position_lock_);
  Result<void> Sync(bool data_only) override;
  Result<void> Truncate(uint64_t size) override;
  Result<void> Allocate(uint32_t mode, uint64_t offset, uint64_t size) override;
  bool can_wait() const override { return false; }
  void AllowKeepingSetId() override { keeps_set_id_.store(true, std::memory_order_relaxed); }

 private:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> zrun::MakeRef(Args&&...);
  VnodeFile(Path path, OpenFlags flags);
  static Result<RefPtr<FileDescription>> Make(const Path& path, OpenFlags flags, bool counted);
  Vnode& vnode() const { return *path().dentry->vnode(); }
  bool is_directory() const { return vnode().type() == VnodeType::kDirectory; }
  Result<size_t> WriteSomewhere(uint64_t& offset, DataSource& source);
  Result<void> AfterWrite();
  void AfterRead(bool any);
  void OnZeroHandles() override;

  bool counts_as_writer_ = false, counts_as_reader_ = false;
  bool opened_ = false;
  std::atomic<bool> keeps_set_id_{false};
  Mutex position_lock_{LockRank::kFile};
  uint64_t position_ GUARDED_BY(position_lock_) = 0;
};

// O_PATH: a place in the tree, good for fstat and as the base of *at calls; everything else EBADF.
Result<RefPtr<FileDescription>> CreatePathFile(const Path& path, OpenFlags flags);

}  // namespace zrun::vfs
