// The machine's disks, as Linux names virtio ones.
#include "vfs/block_device.h"

#include "hal/disks.h"
#include "vfs/vnode.h"

namespace zrun::vfs {
namespace {

constexpr uint32_t kMajor = 254, kMinorsPerDisk = 16;
constexpr unsigned kMostDisks = 26;

// Pages of a disk.
class DiskPages final : public PageSource {
 public:
  explicit DiskPages(unsigned disk) : disk_(disk) {}
  Result<void> ReadPages(uint64_t offset, std::span<const hal::PhysRange> frames) override {
    return Move(hal::DiskOperation::kRead, offset, frames);
  }
  Result<void> WritePages(uint64_t offset, std::span<const hal::PhysRange> frames) override {
    return Move(hal::DiskOperation::kWrite, offset, frames);
  }
  uint64_t cluster_size() const override { return kMaxCluster; }

 private:
  // The disk may end within the last page.
  Result<void> Move(hal::DiskOperation operation, uint64_t offset,
                    std::span<const hal::PhysRange> frames) {
    const uint64_t size = hal::GetDisk(disk_).size;
    const uint64_t last_offset = offset + (frames.size() - 1) * hal::kPageSize;
    if (last_offset + hal::kPageSize <= size)
      return hal::TransferDisk(disk_, operation, offset, frames);
    if (frames.size() > 1)
      TRY(hal::TransferDisk(disk_, operation, offset, frames.first(frames.size() - 1)));
    const hal::PhysRange last{frames.back().base, size - last_offset};
    if (operation == hal::DiskOperation::kRead)
      __builtin_memset(hal::PhysToVirt(last.base) + last.size, 0, hal::kPageSize - last.size);
    return hal::TransferDisk(disk_, operation, last_offset, {&last, 1});
  }
  const unsigned disk_;
};

// The page cache of each disk: one for all who open it.
constinit std::atomic<VmObject*> g_contents[kMostDisks] = {};

Result<RefPtr<VmObject>> ContentsOf(unsigned disk) {
  VmObject* existing = g_contents[disk].load(std::memory_order_acquire);
  if (existing) return RefPtr<VmObject>(existing);
  OwnPtr<PageSource> pages = TRY(MakeOwned<DiskPages>(disk));
  RefPtr<VmObject> fresh = TRY(VmObject::CreatePaged(hal::GetDisk(disk).size, std::move(pages)));
  if (!g_contents[disk].compare_exchange_strong(existing, fresh.get(), std::memory_order_acq_rel))
    return RefPtr<VmObject>(existing);
  return RefPtr<VmObject>(fresh.Leak());
}

Result<void> SyncDisk(unsigned disk) {
  VmObject* contents = g_contents[disk].load(std::memory_order_acquire);
  if (!contents || hal::GetDisk(disk).read_only) return {};
  TRY(contents->Sync(0, contents->size()));
  return hal::FlushDisk(disk);
}

class BlockDeviceFile final : public FileDescription {
 public:
  BlockDeviceFile(Path path, OpenFlags flags, unsigned disk, RefPtr<VmObject> contents)
      : FileDescription(std::move(path), flags, Signals::kReadable | Signals::kWritable),
        disk_(disk),
        contents_(std::move(contents)) {}
  Result<size_t> Read(DataSink& sink) override EXCLUDES(position_lock_) {
    MutexLock lock(position_lock_);
    const size_t count = TRY(ReadAt(position_, sink));
    position_ += count;
    return count;
  }
  Result<size_t> Write(DataSource& source) override EXCLUDES(position_lock_) {
    MutexLock lock(position_lock_);
    const size_t count = TRY(WriteAt(position_, source));
    position_ += count;
    return count;
  }
  Result<size_t> ReadAt(uint64_t offset, DataSink& sink) override {
    return ReadObject(*contents_, offset, UINT64_MAX, sink);
  }
  Result<size_t> WriteAt(uint64_t offset, DataSource& source) override {
    if (hal::GetDisk(disk_).read_only) return Errno::kEPERM;  // as Linux: opening it is allowed
    if (source.remaining() == 0) return size_t{0};
    if (offset >= contents_->size()) return Errno::kENOSPC;
    const size_t count = TRY(WriteObject(*contents_, offset, UINT64_MAX, source));
    if (HasAny(flags(), OpenFlags::kDataSync)) {
      TRY(contents_->Sync(offset, count));
      TRY(hal::FlushDisk(disk_));
    }
    return count;
  }
  Result<uint64_t> Seek(int64_t offset, int whence) override EXCLUDES(position_lock_) {
    MutexLock lock(position_lock_);
    const uint64_t size = contents_->size();
    const uint64_t bases[] = {0, position_, size};
    if (whence < 0 || whence > 2) return Errno::kEINVAL;
    int64_t result;
    if (__builtin_add_overflow(int64_t(bases[whence]), offset, &result)) return Errno::kEINVAL;
    if (result < 0 || uint64_t(result) > size) return Errno::kEINVAL;
    position_ = uint64_t(result);
    return position_;
  }
  Result<RefPtr<VmObject>> Mmap() override { return contents_; }
  Result<void> CheckMap(bool shared, hal::Access, hal::Access& allowed) override {
    const bool writes = shared && HasAny(allowed, hal::Access::kWrite);
    return writes && hal::GetDisk(disk_).read_only ? Result<void>(Errno::kEINVAL) : Result<void>();
  }
  Result<void> Sync(bool) override { return SyncDisk(disk_); }
  bool can_wait() const override { return false; }
  Result<uint64_t> Ioctl(uint32_t request, uint64_t argument, UserMemory& memory) override;

 private:
  // As block(4) and Linux do: what nobody has open any more is on the medium.
  void OnZeroHandles() override {
    FileDescription::OnZeroHandles();
    if (writable()) static_cast<void>(SyncDisk(disk_));
  }
  const unsigned disk_;
  const RefPtr<VmObject> contents_;
  Mutex position_lock_{LockRank::kFile};
  uint64_t position_ GUARDED_BY(position_lock_) = 0;
};

// Source: <linux/fs.h>.
Result<uint64_t> BlockDeviceFile::Ioctl(uint32_t request, uint64_t argument, UserMemory& memory) {
  enum : uint32_t {
    kGetReadOnly = 0x125e,
    kGetSectors = 0x1260,
    kFlushBuffers = 0x1261,
    kGetReadAhead = 0x1263,
    kGetSectorSize = 0x1268,
    kGetBlockSize = 0x80081270,
    kGetBytes = 0x80081272,
    kGetLeastIo = 0x1278,
    kGetBestIo = 0x1279,
    kGetAlignment = 0x127a,
    kGetPhysicalSectorSize = 0x127b,
    kGetRotational = 0x127e,
  };
  const hal::Disk disk = hal::GetDisk(disk_);
  const auto give = [&]<typename T>(T value) -> Result<uint64_t> {
    TRY(memory.Write(UserPtr<T>(argument), value));
    return 0;
  };
  switch (request) {
    case kGetReadOnly:
      return give(int32_t(disk.read_only));
    case kGetSectors:
      return give(disk.size / hal::kSectorSize);
    case kGetBytes:
      return give(disk.size);
    case kGetReadAhead:
      return give(PageSource::kMaxCluster / hal::kSectorSize);
    case kGetSectorSize:
    case kGetLeastIo:
    case kGetPhysicalSectorSize:
      return give(uint32_t(hal::kSectorSize));
    case kGetBlockSize:
      return give(uint32_t(hal::kPageSize));
    case kGetBestIo:
    case kGetAlignment:
      return give(uint32_t{0});
    case kGetRotational:
      return give(uint16_t{0});
    case kFlushBuffers:
      TRY(SyncDisk(disk_));
      return 0;
  }
  return Errno::kENOTTY;
}

}  // namespace

Result<unsigned> DiskOf(uint64_t rdev) {
  const uint32_t minor = DeviceMinor(rdev);
  if (DeviceMajor(rdev) != kMajor || minor % kMinorsPerDisk != 0) return Errno::kENXIO;
  const unsigned disk = minor / kMinorsPerDisk;
  if (disk >= DiskNodeCount()) return Errno::kENXIO;
  return disk;
}

unsigned DiskNodeCount() { return std::min(hal::DiskCount(), kMostDisks); }
uint64_t DiskNumber(unsigned disk) { return MakeDevice(kMajor, disk * kMinorsPerDisk); }

Result<RefPtr<FileDescription>> OpenBlockDevice(const Path& path, uint64_t rdev, OpenFlags flags) {
  const unsigned disk = TRY(DiskOf(rdev));
  return TRY(MakeRef<BlockDeviceFile>(path, flags, disk, TRY(ContentsOf(disk))));
}

void SyncDisks() {
  for (unsigned disk = 0; disk < DiskNodeCount(); disk++) static_cast<void>(SyncDisk(disk));
}

}  // namespace zrun::vfs
