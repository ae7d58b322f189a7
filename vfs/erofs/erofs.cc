#include "vfs/erofs/erofs.h"

#include <array>

#include "hal/disks.h"

namespace zrun::vfs {
namespace {

constexpr uint64_t kErofsMagic = 0xe0f5e1e2;

class ErofsVnode;

class ErofsFileSystem final : public FileSystem {
 public:
  explicit ErofsFileSystem(const ErofsImage& image) : image_(image) {}
  ~ErofsFileSystem() override;
  std::string_view type_name() const override { return "erofs"; }
  RefPtr<Vnode> Root() override { return root_; }
  Result<StatFs> GetStatFs() override;
  bool is_read_only() const override { return true; }

  Result<void> ReadRoot();
  // The one vnode of an inode.
  Result<RefPtr<ErofsVnode>> GetVnode(uint64_t nid) EXCLUDES(lock_);
  void Forget(ErofsVnode& vnode) EXCLUDES(lock_);
  const ErofsImage& image() const { return image_; }
  // Bytes of a file, up to its end. Of an image in memory: what was read through a disk's window
  // stays there.
  Result<size_t> ReadFile(const ErofsInode& inode, uint64_t offset, DataSink& sink) const;

 private:
  static constexpr size_t kBuckets = 1024;
  Result<size_t> PutPiece(uint64_t position, size_t size, DataSink& sink) const;
  ErofsVnode* Find(uint64_t nid) REQUIRES(lock_);
  const ErofsImage image_;
  RefPtr<Vnode> root_;
  Mutex lock_{LockRank::kFileSystem};
  std::array<ErofsVnode*, kBuckets> buckets_ GUARDED_BY(lock_){};
};

class ErofsVnode final : public Vnode {
 public:
  ErofsVnode(ErofsFileSystem& fs, const ErofsInode& inode) : fs_(fs), inode_(inode) {}
  ~ErofsVnode() override {
    fs_.Forget(*this);
    if (VmObject* contents = contents_.load(std::memory_order_relaxed)) contents->Release();
  }
  VnodeType type() const override { return inode_.type(); }
  FileSystem& file_system() const override { return fs_; }
  uint64_t inode() const override { return inode_.nid; }
  Result<Attributes> GetAttributes() override;
  Result<void> SetAttributes(const AttributeChange&) override { return Errno::kEROFS; }
  Result<Ownership> GetOwnership() override {
    return Ownership{inode_.mode, inode_.uid, inode_.gid};
  }
  Result<RefPtr<Vnode>> Lookup(std::string_view name) override;
  Result<RefPtr<Vnode>> Create(std::string_view, uint32_t, uint64_t, uint32_t, uint32_t) override {
    return Errno::kEROFS;
  }
  Result<void> ReadDirectory(uint64_t cursor, DirentSink& sink) override;
  Result<String> ReadLink() override;
  std::string_view StableLink() const override;
  Result<size_t> Read(uint64_t offset, DataSink& sink) override;
  Result<size_t> Write(uint64_t, DataSource&) override { return Errno::kEROFS; }
  Result<RefPtr<VmObject>> Contents() override;
  Result<void> Truncate(uint64_t) override { return Errno::kEROFS; }
  Result<size_t> GetXattr(std::string_view name, std::span<std::byte> value) override;
  Result<size_t> ListXattr(std::span<char> names) override;

 private:
  friend class ErofsFileSystem;
  Result<VnodeType> TypeOf(const ErofsEntry& entry);
  Result<RefPtr<VmObject>> MakeContents();
  ErofsFileSystem& fs_;
  const ErofsInode inode_;
  ErofsVnode* next_ = nullptr;  // in its bucket
  std::atomic<VmObject*> contents_{nullptr};
};

// Pages that cannot be mapped from the image: the ends of files behind their inodes, chunks; all
// that lies on a disk.
class ErofsPages final : public PageSource {
 public:
  ErofsPages(RefPtr<ErofsFileSystem> fs, const ErofsInode& inode)
      : fs_(std::move(fs)), inode_(inode) {}
  Result<void> ReadPages(uint64_t offset, std::span<const hal::PhysRange> frames) override;
  Result<void> WritePages(uint64_t, std::span<const hal::PhysRange>) override {
    return Errno::kEROFS;
  }
  uint64_t cluster_size() const override {
    return fs_->image().source().disk ? kMaxCluster : hal::kPageSize;
  }

 private:
  Result<size_t> ReadFromDisk(uint64_t offset, std::span<const hal::PhysRange> frames);
  const RefPtr<ErofsFileSystem> fs_;
  const ErofsInode inode_;
};

Result<void> ErofsPages::ReadPages(uint64_t offset, std::span<const hal::PhysRange> frames) {
  if (fs_->image().source().disk) {
    // Whole pages in one piece come straight from the disk.
    const size_t done = TRY(ReadFromDisk(offset, frames));
    frames = frames.subspan(done);
    offset += done * hal::kPageSize;
  }
  for (const hal::PhysRange& frame : frames) {
    SpanSink sink({hal::PhysToVirt(frame.base), hal::kPageSize});
    TRY(fs_->ReadFile(inode_, offset, sink));
    TRY(sink.PutZeros(sink.remaining()));
    offset += hal::kPageSize;
  }
  return {};
}

// How many of the pages it has read: those before the first that is not all in one piece.
Result<size_t> ErofsPages::ReadFromDisk(uint64_t offset, std::span<const hal::PhysRange> frames) {
  size_t done = 0;
  while (done < frames.size() && offset < inode_.size) {
    const ErofsExtent extent = TRY(fs_->image().Map(inode_, offset));
    const bool on_sectors = extent.position % hal::kSectorSize == 0;
    // The file's last page may be read beyond its end, which is zeroed then.
    const uint64_t block_end = hal::RoundUp(extent.size);
    const bool is_last = offset + extent.size == inode_.size &&
                         inode_.layout == ErofsLayout::kFlatPlain &&
                         extent.position + block_end <= fs_->image().source().bytes.size();
    const uint64_t whole = is_last ? block_end : hal::RoundDown(extent.size);
    const size_t count = size_t(std::min<uint64_t>(whole / hal::kPageSize, frames.size() - done));
    if (extent.is_hole || !on_sectors || count == 0) break;
    TRY(hal::TransferDisk(*fs_->image().source().disk, hal::DiskOperation::kRead, extent.position,
                          frames.subspan(done, count)));
    done += count;
    offset += count * hal::kPageSize;
  }
  if (done > 0 && offset > inode_.size) {
    const uint64_t beyond = offset - inode_.size;
    __builtin_memset(hal::PhysToVirt(frames[done - 1].base) + (hal::kPageSize - beyond), 0, beyond);
  }
  return done;
}

// ---- File system.

ErofsFileSystem::~ErofsFileSystem() { root_ = nullptr; }

Result<void> ErofsFileSystem::ReadRoot() {
  root_ = TRY(GetVnode(image_.root_nid()));
  return {};
}

Result<StatFs> ErofsFileSystem::GetStatFs() {
  StatFs stat;
  stat.type = kErofsMagic;
  stat.block_size = image_.block_size();
  stat.blocks = image_.block_count();
  stat.files = image_.inode_count();
  stat.id = device();
  return stat;
}

ErofsVnode* ErofsFileSystem::Find(uint64_t nid) {
  for (ErofsVnode* vnode = buckets_[nid % kBuckets]; vnode; vnode = vnode->next_)
    if (vnode->inode_.nid == nid && vnode->TryAddRef()) return vnode;
  return nullptr;
}

Result<RefPtr<ErofsVnode>> ErofsFileSystem::GetVnode(uint64_t nid) {
  {
    MutexLock lock(lock_);
    if (ErofsVnode* found = Find(nid)) return RefPtr<ErofsVnode>::Adopt(found);
  }
  const ErofsInode inode = TRY(image_.ReadInode(nid));
  auto fresh = TRY(MakeRef<ErofsVnode>(*this, inode));
  RefPtr<ErofsVnode> other;
  MutexLock lock(lock_);
  if (ErofsVnode* found = Find(nid)) {
    other = RefPtr<ErofsVnode>::Adopt(found);
    return other;
  }
  ErofsVnode*& head = buckets_[nid % kBuckets];
  fresh->next_ = head;
  head = fresh.get();
  return fresh;
}

void ErofsFileSystem::Forget(ErofsVnode& vnode) {
  MutexLock lock(lock_);
  for (ErofsVnode** link = &buckets_[vnode.inode_.nid % kBuckets]; *link; link = &(*link)->next_) {
    if (*link != &vnode) continue;
    *link = vnode.next_;
    return;
  }
}

Result<size_t> ErofsFileSystem::PutPiece(uint64_t position, size_t size, DataSink& sink) const {
  return sink.Put(TRY(image_.Read(position, size)));
}

Result<size_t> ErofsFileSystem::ReadFile(const ErofsInode& inode, uint64_t offset,
                                         DataSink& sink) const {
  size_t done = 0;
  while (offset < inode.size && sink.remaining() > 0) {
    auto mapped = image_.Map(inode, offset);
    if (!mapped.ok()) return done > 0 ? Result<size_t>(done) : Result<size_t>(mapped.error());
    const ErofsExtent extent = mapped.value();
    const size_t wanted = size_t(std::min<uint64_t>(extent.size, sink.remaining()));
    auto put = extent.is_hole ? sink.PutZeros(wanted) : PutPiece(extent.position, wanted, sink);
    if (!put.ok()) return done > 0 ? Result<size_t>(done) : Result<size_t>(put.error());
    done += put.value();
    offset += put.value();
    if (put.value() < wanted) break;
  }
  return done;
}

// ---- Vnode.

Result<Attributes> ErofsVnode::GetAttributes() {
  Attributes out;
  out.inode = inode_.nid;
  out.size = inode_.size;
  out.blocks = (inode_.size + 511) / 512;
  out.mode = inode_.mode;
  out.uid = inode_.uid;
  out.gid = inode_.gid;
  out.links = inode_.links;
  out.device = fs_.device();
  out.rdev = inode_.rdev;
  out.block_size = fs_.image().block_size();
  out.atime = out.mtime = out.ctime = out.btime = inode_.mtime;
  return out;
}

Result<RefPtr<Vnode>> ErofsVnode::Lookup(std::string_view name) {
  if (type() != VnodeType::kDirectory) return Errno::kENOTDIR;
  const ErofsEntry entry = TRY(fs_.image().FindEntry(inode_, name));
  return RefPtr<Vnode>(TRY(fs_.GetVnode(entry.nid)));
}

Result<VnodeType> ErofsVnode::TypeOf(const ErofsEntry& entry) {
  switch (entry.file_type) {
    case 1:
      return VnodeType::kRegular;
    case 2:
      return VnodeType::kDirectory;
    case 3:
      return VnodeType::kCharDevice;
    case 4:
      return VnodeType::kBlockDevice;
    case 5:
      return VnodeType::kFifo;
    case 6:
      return VnodeType::kSocket;
    case 7:
      return VnodeType::kSymlink;
  }
  return TRY(fs_.image().ReadInode(entry.nid)).type();
}

Result<void> ErofsVnode::ReadDirectory(uint64_t cursor, DirentSink& sink) {
  if (type() != VnodeType::kDirectory) return Errno::kENOTDIR;
  for (;;) {
    const std::optional<ErofsEntry> entry = TRY(fs_.image().NextEntry(inode_, cursor));
    if (!entry) return {};
    if (entry->name == "." || entry->name == "..") continue;
    if (!sink.Add(entry->nid, TRY(TypeOf(*entry)), entry->name, cursor)) return {};
  }
}

// The target lies in one piece in the image, which stays.
std::string_view ErofsVnode::StableLink() const {
  if (type() != VnodeType::kSymlink) return {};
  const auto extent = fs_.image().Map(inode_, 0);
  if (!extent.ok() || extent.value().is_hole || extent.value().size < inode_.size) return {};
  const auto bytes = fs_.image().Read(extent.value().position, inode_.size);
  if (!bytes.ok()) return {};
  const std::string_view text(reinterpret_cast<const char*>(bytes.value().data()), inode_.size);
  return text.find('\0') == std::string_view::npos ? text : std::string_view();
}

Result<String> ErofsVnode::ReadLink() {
  if (type() != VnodeType::kSymlink) return Errno::kEINVAL;
  const std::string_view target = StableLink();
  if (target.empty()) return Errno::kEUCLEAN;
  return String::Create(target);
}

Result<size_t> ErofsVnode::Read(uint64_t offset, DataSink& sink) {
  if (type() != VnodeType::kRegular) return Errno::kEINVAL;
  if (fs_.image().source().disk) return Vnode::Read(offset, sink);  // the page cache
  return fs_.ReadFile(inode_, offset, sink);
}

Result<RefPtr<VmObject>> ErofsVnode::MakeContents() {
  const auto& frames = fs_.image().source().frames;
  if (inode_.size > 0 && inode_.layout == ErofsLayout::kFlatPlain && frames &&
      (frames->base + inode_.data) % hal::kPageSize == 0) {
    const uint64_t size =
        std::min(hal::RoundUp(inode_.size), hal::RoundUp(frames->size) - inode_.data);
    return VmObject::CreatePhysical({frames->base + inode_.data, size}, inode_.size);
  }
  OwnPtr<PageSource> pages = TRY(MakeOwned<ErofsPages>(RefPtr<ErofsFileSystem>(&fs_), inode_));
  return VmObject::CreatePaged(inode_.size, std::move(pages));
}

Result<RefPtr<VmObject>> ErofsVnode::Contents() {
  if (type() != VnodeType::kRegular) return Errno::kENODEV;
  VmObject* existing = contents_.load(std::memory_order_acquire);
  if (existing) return RefPtr<VmObject>(existing);
  RefPtr<VmObject> fresh = TRY(MakeContents());
  if (!contents_.compare_exchange_strong(existing, fresh.get(), std::memory_order_acq_rel))
    return RefPtr<VmObject>(existing);
  return RefPtr<VmObject>(fresh.Leak());
}

Result<size_t> ErofsVnode::GetXattr(std::string_view name, std::span<std::byte> value) {
  class Search final : public ErofsXattrVisitor {
   public:
    explicit Search(std::string_view name) : name_(name) {}
    bool Visit(std::string_view prefix, std::string_view infix, std::string_view rest,
               std::span<const std::byte> bytes) override {
      if (name_.size() != prefix.size() + infix.size() + rest.size() ||
          !name_.starts_with(prefix) || !name_.ends_with(rest) ||
          name_.substr(prefix.size(), infix.size()) != infix)
        return true;
      found = bytes;
      return false;
    }
    std::optional<std::span<const std::byte>> found;

   private:
    std::string_view name_;
  } search(name);
  TRY(fs_.image().VisitXattrs(inode_, search));
  if (!search.found) return Errno::kENODATA;
  const size_t size = search.found->size();
  if (value.empty()) return size;
  if (value.size() < size) return Errno::kERANGE;
  __builtin_memcpy(value.data(), search.found->data(), size);
  return size;
}

Result<size_t> ErofsVnode::ListXattr(std::span<char> names) {
  class List final : public ErofsXattrVisitor {
   public:
    explicit List(std::span<char> names) : names_(names) {}
    bool Visit(std::string_view prefix, std::string_view infix, std::string_view rest,
               std::span<const std::byte>) override {
      // Access control lists are not enforced, so not shown.
      if (prefix.starts_with("system.")) return true;
      for (std::string_view part : {prefix, infix, rest, std::string_view("\0", 1)}) {
        if (!names_.empty()) {
          if (part.size() > names_.size() - size) {
            too_small = true;
            return false;
          }
          __builtin_memcpy(names_.data() + size, part.data(), part.size());
        }
        size += part.size();
      }
      return true;
    }
    size_t size = 0;
    bool too_small = false;

   private:
    std::span<char> names_;
  } list(names);
  TRY(fs_.image().VisitXattrs(inode_, list));
  if (list.too_small) return Errno::kERANGE;
  return list.size;
}

}  // namespace

Result<RefPtr<FileSystem>> MountErofsImage(const ErofsSource& source) {
  const ErofsImage image = TRY(ErofsImage::Open(source));
  auto fs = TRY(MakeRef<ErofsFileSystem>(image));
  TRY(fs->ReadRoot());
  return RefPtr<FileSystem>(std::move(fs));
}

Result<RefPtr<FileSystem>> MountErofsDisk(unsigned disk) {
  const hal::PhysRange window = hal::DiskWindow(disk);
  if (window.size == 0) return Errno::kENODEV;
  ErofsSource source;
  source.bytes = {hal::PhysToVirt(window.base), size_t(hal::GetDisk(disk).size)};
  source.disk = disk;
  return MountErofsImage(source);
}

Result<RefPtr<FileSystem>> MountRootImage() {
  const hal::PhysRange rom = hal::ImageRom();
  if (rom.size > 0)
    return MountErofsImage({{hal::PhysToVirt(rom.base), size_t(rom.size)}, rom, std::nullopt});
  return hal::DiskCount() > 0 ? MountErofsDisk(0) : Errno::kENODEV;
}

}  // namespace zrun::vfs
