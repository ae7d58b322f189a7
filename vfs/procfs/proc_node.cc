#include "vfs/procfs/proc_node.h"

#include "hal/thread.h"
#include "vfs/block_device.h"
#include "vfs/notify.h"
#include "vfs/procfs/proc_text_file.h"

namespace zrun::vfs {
namespace {

constexpr uint64_t kFirstCursor = 2;  // after "." and ".."

// Tables whose files belong to no process share the inode numbers of none: each has a range.
uint32_t FirstIndex(ProcTable entries) {
  if (entries.data() == kSysctlEntries.data()) return 1 << 20;
  if (entries.data() == kSysFsEntries.data()) return 1 << 21;
  return 0;
}

// An open directory of /proc: like any other, but no lock is held while the names are asked for.
class ProcDirectoryFile final : public FileDescription {
 public:
  ProcDirectoryFile(Path path, OpenFlags flags)
      : FileDescription(std::move(path), flags, Signals::kReadable | Signals::kWritable) {}
  Kind kind() const override { return Kind::kVnode; }
  bool can_wait() const override { return false; }
  Result<size_t> Read(DataSink&) override { return Errno::kEISDIR; }
  Result<size_t> ReadAt(uint64_t, DataSink&) override { return Errno::kEISDIR; }
  Result<size_t> Write(DataSource&) override { return Errno::kEBADF; }
  Result<size_t> WriteAt(uint64_t, DataSource&) override { return Errno::kEBADF; }
  Result<void> Sync(bool) override { return {}; }
  Result<uint64_t> Seek(int64_t offset, int whence) override {
    constexpr int kSet = 0, kCurrent = 1;
    constexpr int kEnd = 2;
    if (whence < kSet || whence > kEnd) return Errno::kEINVAL;
    // Such a directory's size is 0.
    const int64_t base = whence == kCurrent ? int64_t(position_.load()) : 0;
    int64_t target;
    if (__builtin_add_overflow(base, offset, &target) || target < 0) return Errno::kEINVAL;
    position_.store(uint64_t(target));
    return uint64_t(target);
  }
  Result<void> ReadDirectory(DirentSink& sink) override {
    Numbered numbered(sink, position_);
    Vnode& vnode = *path().dentry->vnode();
    if (position_.load() == 0 && !numbered.AddAt(vnode.inode(), VnodeType::kDirectory, ".", 1))
      return {};
    if (position_.load() == 1) {
      const auto parent = path().dentry->parent();
      if (!numbered.AddAt(parent->vnode()->inode(), VnodeType::kDirectory, "..", kFirstCursor))
        return {};
    }
    TRY(vnode.ReadDirectory(position_.load() - kFirstCursor, numbered));
    NotifyFile(path(), NotifyEvent::kAccess);
    return {};
  }

 private:
  class Numbered final : public DirentSink {
   public:
    Numbered(DirentSink& sink, std::atomic<uint64_t>& position)
        : sink_(sink), position_(position) {}
    bool Add(uint64_t inode, VnodeType type, std::string_view name, uint64_t next_cursor) override {
      return AddAt(inode, type, name, next_cursor + kFirstCursor);
    }
    bool AddAt(uint64_t inode, VnodeType type, std::string_view name, uint64_t next) {
      if (!sink_.Add(inode, type, name, next)) return false;
      position_.store(next);
      return true;
    }

   private:
    DirentSink& sink_;
    std::atomic<uint64_t>& position_;
  };
  std::atomic<uint64_t> position_{0};
};

class ProcRegular final : public ProcNode {
 public:
  ProcRegular(RefPtr<ProcFs> file_system, ProcId id, uint64_t inode, const ProcEntry& entry)
      : ProcNode(std::move(file_system), id, inode, entry.mode), entry_(entry) {}
  Result<RefPtr<FileDescription>> Open(const Path& path, OpenFlags flags) override {
    if (entry_.restricted) TRY(source().CheckInspect(id_));
    // Settings that nobody may change, root may not either.
    const bool is_setting = file_system_->kind() == ProcFs::Kind::kSys ||
                            (&entry_ >= kSysctlEntries.data() &&
                             &entry_ < kSysctlEntries.data() + kSysctlEntries.size());
    const bool for_writing = (flags & OpenFlags::kAccessMode) != OpenFlags::kReadOnly;
    if (is_setting && for_writing && !(entry_.mode & 0222)) return Errno::kEACCES;
    return OpenProcText(path, flags, request(), entry_);
  }

 private:
  const ProcEntry& entry_;
};

}  // namespace

Result<Attributes> ProcNode::GetAttributes() {
  Attributes attributes;
  attributes.inode = inode_;
  attributes.mode = mode_;
  attributes.device = file_system_->device();
  attributes.block_size = 1024;
  attributes.links = type() == VnodeType::kDirectory ? 2 : 1;
  if (id_.pid != 0) {
    const Ownership owner = source().Owner(id_);
    attributes.uid = owner.uid;
    attributes.gid = owner.gid;
  }
  attributes.atime = attributes.mtime = attributes.ctime = file_system_->mounted_at();
  return attributes;
}

Result<RefPtr<FileDescription>> ProcDirectory::Open(const Path& path, OpenFlags flags) {
  return RefPtr<FileDescription>(TRY(MakeRef<ProcDirectoryFile>(path, flags)));
}

Result<RefPtr<Vnode>> TableDirectory::Create(RefPtr<ProcFs> file_system, ProcTable entries,
                                             std::string_view prefix, ProcId id, uint32_t mode) {
  uint32_t index = 0;
  while (index < entries.size() && !entries[index].path.starts_with(prefix)) index++;
  const uint64_t inode = ProcInode(id, ProcInodeKind::kDirectory, FirstIndex(entries) + index + 1);
  return RefPtr<Vnode>(TRY(MakeRef<TableDirectory>(std::move(file_system), entries, prefix, id,
                                                   inode, kModeDirectory | mode)));
}

TableDirectory::Component TableDirectory::ComponentAt(size_t index) const {
  std::string_view path = entries_[index].path;
  if (!path.starts_with(prefix_)) return {};
  path.remove_prefix(prefix_.size());
  const size_t slash = path.find('/');
  return {path.substr(0, slash), slash != std::string_view::npos};
}

bool TableDirectory::IsRepeated(size_t index) const {
  // Entries of one directory stand together.
  return index > 0 && ComponentAt(index - 1).name == ComponentAt(index).name;
}

bool TableDirectory::Component::is_series() const {
  return !name.empty() &&
         (name.back() == kEachCpu || name.back() == kEachDisk || name.back() == kEachDiskNumber);
}

unsigned TableDirectory::Component::count() const {
  if (!is_series()) return 1;
  return name.back() == kEachCpu ? hal::CpuCount() : DiskNodeCount();
}

TableDirectory::Component::Text TableDirectory::Component::NameOf(unsigned which) const {
  if (!is_series()) return Text(name);
  const std::string_view base = name.substr(0, name.size() - 1);
  if (name.back() == kEachCpu) return Text(base, which);
  if (name.back() == kEachDisk) return Text(base, char('a' + which));
  const uint64_t number = DiskNumber(which);
  return Text(base, DeviceMajor(number), ':', DeviceMinor(number));
}

Result<RefPtr<Vnode>> TableDirectory::Lookup(std::string_view name) {
  for (size_t i = 0; i < entries_.size(); i++) {
    const Component component = ComponentAt(i);
    if (component.name.empty()) continue;
    unsigned which = 0;
    const unsigned count = component.count();
    while (which < count && component.NameOf(which).view() != name) which++;
    if (which == count) continue;
    const ProcId id = IdOf(component, which);
    if (component.is_directory) {
      const auto prefix = entries_[i].path.substr(0, prefix_.size() + component.name.size() + 1);
      return Create(file_system_, entries_, prefix, id, 0555);
    }
    return MakeProcFile(
        file_system_, entries_[i], id,
        ProcInode(id, ProcInodeKind::kEntry, FirstIndex(entries_) + uint32_t(i) + 1));
  }
  return Errno::kENOENT;
}

// Cursors: the entry's index and, above, the number within what it stands for.
Result<void> TableDirectory::ReadDirectory(uint64_t cursor, DirentSink& sink) {
  uint64_t which = cursor >> 32;
  for (uint64_t i = uint32_t(cursor); i < entries_.size(); i++, which = 0) {
    const Component component = ComponentAt(i);
    if (component.name.empty() || IsRepeated(i)) continue;
    const VnodeType type =
        component.is_directory ? VnodeType::kDirectory : TypeOfMode(entries_[i].mode);
    const auto kind = component.is_directory ? ProcInodeKind::kDirectory : ProcInodeKind::kEntry;
    for (; which < component.count(); which++) {
      const ProcId id = IdOf(component, unsigned(which));
      const uint64_t inode = ProcInode(id, kind, FirstIndex(entries_) + uint32_t(i) + 1);
      const bool is_last = which + 1 == component.count();
      const uint64_t next = is_last ? i + 1 : i | (which + 1) << 32;
      if (!sink.Add(inode, type, component.NameOf(unsigned(which)), next)) return {};
    }
  }
  return {};
}

Result<String> ProcLink::ReadLink() {
  if (entry_.follow) {
    auto place = Follow();
    // A link whose process is gone leads nowhere.
    if (!place.ok() && place.error() == Errno::kESRCH) return Errno::kENOENT;
    return source().NameOf(TRY(std::move(place)));
  }
  if (!entry_.show) return String::Create(entry_.constant);
  TextBuilder text;
  TRY(entry_.show(request(), text));
  TRY(text.result());
  return text.Take();
}

Result<Path> ProcLink::Follow() {
  if (entry_.restricted) TRY(source().CheckInspect(id_));
  return entry_.follow(request());
}

Result<Path> ProcLink::FollowMagicLink() {
  if (!entry_.follow) return Errno::kENOENT;  // an ordinary link
  auto place = Follow();
  // ENOENT would mean that the link's text is to be walked instead.
  if (!place.ok() && place.error() == Errno::kENOENT) return Errno::kESRCH;
  return place;
}

Result<RefPtr<Vnode>> MakeProcFile(RefPtr<ProcFs> file_system, const ProcEntry& entry, ProcId id,
                                   uint64_t inode) {
  if (TypeOfMode(entry.mode) == VnodeType::kSymlink)
    return RefPtr<Vnode>(TRY(MakeRef<ProcLink>(std::move(file_system), id, inode, entry)));
  return RefPtr<Vnode>(TRY(MakeRef<ProcRegular>(std::move(file_system), id, inode, entry)));
}

}  // namespace zrun::vfs
