#pragma once
#include "vfs/ramfs/ram_vnode.h"

namespace zrun::vfs {

// A regular file in memory. Its VmObject is made by the first write or mmap and stays; until then
// the file is one hole. Writers exclude each other; readers see a write's bytes once the size says
// so, never zeros that are about to become data.
class RamRegular : public RamVnode {
 public:
  static Result<RefPtr<RamVnode>> Create(RamFileSystem& fs, uint32_t mode, uint32_t uid,
                                         uint32_t gid);
  ~RamRegular() override;
  Result<size_t> Read(uint64_t offset, DataSink& sink) override;
  Result<size_t> Write(uint64_t offset, DataSource& source) final EXCLUDES(write_lock_);
  Result<size_t> Append(DataSource& source, uint64_t& offset) final EXCLUDES(write_lock_);
  Result<RefPtr<VmObject>> Contents() override;
  Result<void> Truncate(uint64_t size) final EXCLUDES(write_lock_);
  Result<void> Allocate(uint32_t mode, uint64_t offset, uint64_t size) final EXCLUDES(write_lock_);
  Result<uint64_t> SeekData(uint64_t offset, bool data) override;
  Result<uint32_t> GetSeals() final;
  Result<void> AddSeals(uint32_t seals) final EXCLUDES(write_lock_);
  // F_SEAL_SEAL where nobody asked to seal; only a memfd has seals at all.
  void EnableSeals(bool sealable) { seals_ = kHasSeals | (sealable ? 0u : FileSeal::kSeal); }

 protected:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> zrun::MakeRef(Args&&...);
  using RamVnode::RamVnode;
  // Before the first change of the data: an overlay copies what it has not yet, at least |keep|
  // bytes of it.
  virtual Result<void> Materialize(uint64_t /*keep*/) { return {}; }
  // Gives the file its data, once.
  void AdoptContents(RefPtr<VmObject> contents);
  VmObject* contents() const { return contents_.load(std::memory_order_acquire); }
  uint64_t size() const { return size_.load(std::memory_order_acquire); }
  void set_size(uint64_t size) { size_.store(size, std::memory_order_release); }
  uint64_t stat_size() const final { return size(); }
  uint64_t stat_bytes() const override;
  Mutex& write_lock() { return write_lock_; }

 private:
  static constexpr uint32_t kHasSeals = 1u << 31;
  Result<VmObject*> EnsureContents();
  Result<size_t> WriteLocked(uint64_t offset, DataSource& source) REQUIRES(write_lock_);
  Result<void> ZeroRange(uint64_t offset, uint64_t size) REQUIRES(write_lock_);
  // How much of the range from |offset| the file system has room for.
  Result<uint64_t> FitToSpace(VmObject& contents, uint64_t offset, uint64_t size);
  void Recharge() REQUIRES(write_lock_);
  bool is_sealed(uint32_t seals) const {
    return (seals_.load(std::memory_order_acquire) & seals) != 0;
  }

  Mutex write_lock_{LockRank::kFileData};
  std::atomic<VmObject*> contents_{nullptr};  // owned
  std::atomic<uint64_t> size_{0};
  std::atomic<uint32_t> seals_{0};
  uint64_t charged_ GUARDED_BY(write_lock_) = 0;
};

}  // namespace zrun::vfs
