#include "vfs/vnode_file.h"

#include "vfs/directory_notice.h"
#include "vfs/leases.h"
#include "vfs/notify.h"
#include "vfs/permissions.h"

namespace zrun::vfs {
namespace {

constexpr uint64_t kMaxFileSize = INT64_MAX;
constexpr int kSeekSet = 0, kSeekCurrent = 1, kSeekEnd = 2, kSeekData = 3, kSeekHole = 4;
// Positions of a directory: 0 ".", 1 "..", then the file system's cursors moved up by two.
constexpr uint64_t kFirstCursor = 2;

class DirectorySink final : public DirentSink {
 public:
  DirectorySink(DirentSink& sink, uint64_t& position) : sink_(sink), position_(position) {}
  bool Add(uint64_t inode, VnodeType type, std::string_view name, uint64_t next_cursor) override {
    return AddAt(inode, type, name, next_cursor + kFirstCursor);
  }
  bool AddAt(uint64_t inode, VnodeType type, std::string_view name, uint64_t next) {
    if (!sink_.Add(inode, type, name, next)) return false;
    position_ = next;
    return true;
  }

 private:
  DirentSink& sink_;
  uint64_t& position_;
};

}  // namespace

VnodeFile::VnodeFile(Path path, OpenFlags flags)
    : FileDescription(std::move(path), flags, Signals::kReadable | Signals::kWritable) {}

VnodeFile::~VnodeFile() {
  DropLease(*this);
  ForgetDirectory(*this, nullptr);
  if (opened_) vnode().Closed(flags());
  if (counts_as_writer_) vnode().RemoveWriter();
  if (counts_as_reader_) vnode().RemoveReader();
}

Result<RefPtr<FileDescription>> VnodeFile::Create(const Path& path, OpenFlags flags) {
  return Make(path, flags, true);
}

Result<RefPtr<FileDescription>> VnodeFile::CreateUncounted(const Path& path, OpenFlags flags) {
  return Make(path, flags, false);
}

Result<RefPtr<FileDescription>> VnodeFile::Make(const Path& path, OpenFlags flags, bool counted) {
  RefPtr<VnodeFile> file = TRY(MakeRef<VnodeFile>(path, flags));
  if (counted && file->writable() && !file->is_directory()) {
    if (!file->vnode().AddWriter()) return Errno::kETXTBSY;
    file->counts_as_writer_ = true;
  }
  if (file->readable() && !file->writable()) {
    file->vnode().AddReader();
    file->counts_as_reader_ = true;
  }
  TRY(file->vnode().Opened(flags));
  file->opened_ = true;
  return RefPtr<FileDescription>(std::move(file));
}

void VnodeFile::OnZeroHandles() { DropLocks(); }

void VnodeFile::AfterRead(bool any) {
  if (any) NotifyFile(path(), NotifyEvent::kAccess);
  if (HasAny(flags(), OpenFlags::kNoAtime)) return;
  const MountFlags mount = MountFlagsOf(path());
  if (HasAny(mount, MountFlags::kNoAtime | MountFlags::kReadOnly)) return;
  if (is_directory() && HasAny(mount, MountFlags::kNoDirAtime)) return;
  vnode().NoteAccess();
}

Result<void> VnodeFile::AfterWrite() {
  NotifyFile(path(), NotifyEvent::kModify);
  TRY(RemovePrivileges(vnode(), keeps_set_id_.load(std::memory_order_relaxed)));
  if (HasAny(flags(), OpenFlags::kDataSync))
    return vnode().Sync(!HasAll(flags(), OpenFlags::kSync));
  return {};
}

Result<size_t> VnodeFile::Read(DataSink& sink) {
  if (is_directory()) return Errno::kEISDIR;
  MutexLock lock(position_lock_);
  const size_t count = TRY(vnode().Read(position_, sink));
  position_ += count;
  AfterRead(count > 0);
  return count;
}

Result<size_t> VnodeFile::ReadAt(uint64_t offset, DataSink& sink) {
  if (is_directory()) return Errno::kEISDIR;
  const size_t count = TRY(vnode().Read(offset, sink));
  AfterRead(count > 0);
  return count;
}

// Writes at |offset|, or at the end with O_APPEND; leaves in |offset| where it wrote.
Result<size_t> VnodeFile::WriteSomewhere(uint64_t& offset, DataSource& source) {
  if (is_directory()) return Errno::kEBADF;
  if (source.remaining() == 0) return size_t{0};
  const bool append = HasAny(flags(), OpenFlags::kAppend);
  if (!append && offset >= kMaxFileSize) return Errno::kEFBIG;
  const size_t count =
      append ? TRY(vnode().Append(source, offset)) : TRY(vnode().Write(offset, source));
  TRY(AfterWrite());
  return count;
}

Result<size_t> VnodeFile::Write(DataSource& source) {
  MutexLock lock(position_lock_);
  uint64_t offset = position_;
  const size_t count = TRY(WriteSomewhere(offset, source));
  if (count > 0) position_ = offset + count;
  return count;
}

// pwrite(2) with O_APPEND appends, whatever the offset: Linux's own way.
Result<size_t> VnodeFile::WriteAt(uint64_t offset, DataSource& source) {
  return WriteSomewhere(offset, source);
}

Result<uint64_t> VnodeFile::Seek(int64_t offset, int whence) {
  MutexLock lock(position_lock_);
  int64_t base = 0;
  switch (whence) {
    case kSeekSet:
      break;
    case kSeekCurrent:
      if (offset == 0) return position_;
      base = int64_t(position_);
      break;
    case kSeekEnd:
      if (is_directory()) return Errno::kEINVAL;
      base = int64_t(TRY(vnode().GetAttributes()).size);
      break;
    case kSeekData:
    case kSeekHole: {
      if (is_directory()) return Errno::kEINVAL;
      if (offset < 0) return Errno::kENXIO;
      position_ = TRY(vnode().SeekData(uint64_t(offset), whence == kSeekData));
      return position_;
    }
    default:
      return Errno::kEINVAL;
  }
  int64_t result;
  if (__builtin_add_overflow(base, offset, &result) || result < 0) return Errno::kEINVAL;
  position_ = uint64_t(result);
  return position_;
}

Result<RefPtr<VmObject>> VnodeFile::Mmap() {
  if (is_directory()) return Errno::kENODEV;
  AfterRead(false);
  return vnode().Contents();
}

Result<void> VnodeFile::CheckMap(bool shared, hal::Access wanted, hal::Access& allowed) {
  if (!shared) return {};
  const auto seals = vnode().GetSeals();
  if (!seals.ok() || !(seals.value() & (FileSeal::kWrite | FileSeal::kFutureWrite))) return {};
  if (HasAny(wanted, hal::Access::kWrite)) return Errno::kEPERM;
  allowed &= ~hal::Access::kWrite;
  return {};
}

Result<void> VnodeFile::ReadDirectory(DirentSink& sink) {
  if (!is_directory()) return Errno::kENOTDIR;
  MutexLock lock(position_lock_);
  if (path().dentry->is_unlinked()) return Errno::kENOENT;
  DirectorySink numbered(sink, position_);
  if (position_ == 0 && !numbered.AddAt(vnode().inode(), VnodeType::kDirectory, ".", 1)) return {};
  if (position_ == 1) {
    const RefPtr<Dentry> parent = path().dentry->parent();
    if (!numbered.AddAt(parent->vnode()->inode(), VnodeType::kDirectory, "..", kFirstCursor))
      return {};
  }
  TRY(vnode().ReadDirectory(position_ - kFirstCursor, numbered));
  AfterRead(true);
  return {};
}

Result<void> VnodeFile::Sync(bool data_only) { return vnode().Sync(data_only); }

Result<void> VnodeFile::Truncate(uint64_t size) {
  if (is_directory() || !writable()) return Errno::kEINVAL;
  if (size > kMaxFileSize) return Errno::kEINVAL;
  if (vnode().is_append_only()) return Errno::kEPERM;
  TRY(vnode().Truncate(size));
  return AfterWrite();
}

Result<void> VnodeFile::Allocate(uint32_t mode, uint64_t offset, uint64_t size) {
  if (is_directory()) return Errno::kEISDIR;
  if (!writable()) return Errno::kEBADF;
  if (size == 0 || offset > kMaxFileSize || size > kMaxFileSize) return Errno::kEINVAL;
  if (offset + size > kMaxFileSize) return Errno::kEFBIG;
  constexpr uint32_t kKeepSize = 1;
  if (vnode().is_immutable() || (vnode().is_append_only() && (mode & ~kKeepSize)))
    return Errno::kEPERM;
  TRY(vnode().Allocate(mode, offset, size));
  return AfterWrite();
}

namespace {

class PathFile final : public FileDescription {
 public:
  PathFile(Path path, OpenFlags flags) : FileDescription(std::move(path), flags, Signals::kNone) {}
  Result<size_t> Read(DataSink&) override { return Errno::kEBADF; }
  Result<size_t> Write(DataSource&) override { return Errno::kEBADF; }
  Result<size_t> ReadAt(uint64_t, DataSink&) override { return Errno::kEBADF; }
  Result<size_t> WriteAt(uint64_t, DataSource&) override { return Errno::kEBADF; }
  Result<uint64_t> Seek(int64_t, int) override { return Errno::kEBADF; }
  Result<RefPtr<VmObject>> Mmap() override { return Errno::kEBADF; }
  Result<uint64_t> Ioctl(uint32_t, uint64_t, UserMemory&) override { return Errno::kEBADF; }
  Result<void> ReadDirectory(DirentSink&) override { return Errno::kEBADF; }
  Result<void> Sync(bool) override { return Errno::kEBADF; }
  Result<void> Truncate(uint64_t) override { return Errno::kEBADF; }
  Result<void> Allocate(uint32_t, uint64_t, uint64_t) override { return Errno::kEBADF; }
};

}  // namespace

Result<RefPtr<FileDescription>> CreatePathFile(const Path& path, OpenFlags flags) {
  return RefPtr<FileDescription>(TRY(MakeRef<PathFile>(path, flags)));
}

}  // namespace zrun::vfs
