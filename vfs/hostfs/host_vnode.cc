#include "vfs/hostfs/host_vnode.h"

namespace zrun::vfs {
namespace {

constexpr size_t kBufferSize = 64 * 1024;
constexpr size_t kSmallSize = 512;
constexpr size_t kMaxLink = 4096;

// Memory between host file and guest: on the stack for little, from the heap for more. Whoever gets
// it fills it first.
class Buffer {
 public:
  Result<std::span<std::byte>> Get(size_t wanted) {
    if (wanted <= kSmallSize) return std::span(small_, wanted);
    if (large_.capacity() == 0) TRY(large_.Reserve(std::min(wanted, kBufferSize)));
    return std::span(large_.data(), std::min(wanted, large_.capacity()));
  }

 private:
  std::byte small_[kSmallSize];
  Vector<std::byte> large_;
};

// Much is moved straight between host file and guest memory; what the host cannot reach there
// (EFAULT) goes through a buffer, whose copy resolves faults.
bool IsMuch(size_t size) { return size > kSmallSize; }

// Reads some of a host file; |ended| if there is no more.
Result<size_t> ReadSome(hal::HostNode node, uint64_t offset, DataSink& sink, Buffer& buffer,
                        bool& ended) {
  if (const UserRange next = sink.Next(); IsMuch(next.size)) {
    auto got = hal::HostReadToUser(node, offset, next.base.address(), next.size);
    if (got.ok() || got.error() != Errno::kEFAULT) {
      ended = got.ok() && got.value() == 0;
      if (got.ok()) sink.Skip(got.value());
      return got;
    }
  }
  const auto piece = TRY(buffer.Get(sink.remaining()));
  const size_t got = TRY(hal::HostRead(node, offset, piece));
  ended = got < piece.size();
  return got == 0 ? Result<size_t>(got) : sink.Put(piece.first(got));
}

Result<size_t> WriteSome(const HostVnode& vnode, hal::HostNode node, uint64_t offset,
                         DataSource& source, Buffer& buffer) {
  if (const UserRange next = source.Next(); IsMuch(next.size)) {
    const OwnChange own(kHostModify | kHostAttrib, {vnode.self(), vnode.place()});
    auto put = hal::HostWriteFromUser(node, offset, next.base.address(), next.size);
    if (put.ok() || put.error() != Errno::kEFAULT) {
      if (put.ok()) source.Skip(put.value());
      return put;
    }
  }
  const auto piece = TRY(buffer.Get(source.remaining()));
  const size_t taken = TRY(source.Take(piece));
  if (taken == 0) return size_t{0};
  const OwnChange own(kHostModify | kHostAttrib, {vnode.self(), vnode.place()});
  return hal::HostWrite(node, offset, piece.first(taken));
}

}  // namespace

class HostVnode::Use {
 public:
  explicit Use(HostVnode& vnode) : vnode_(vnode) {
    MutexLock lock(vnode_.open_lock_);
    vnode_.open_count_++;
  }
  ~Use() { vnode_.Closed(OpenFlags::kReadOnly); }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

 private:
  HostVnode& vnode_;
};

HostVnode::HostVnode(HostFileSystem& fs, hal::HostNode node, const hal::HostAttributes& attributes)
    : fs_(fs),
      node_(node),
      host_device_(attributes.device),
      host_inode_(attributes.inode),
      type_(TypeOfMode(attributes.mode)) {}

HostVnode::~HostVnode() {
  fs_.Forget(*this);
  reader_.contents = nullptr;
  writer_.contents = nullptr;
  hal::HostClose(reader_.node);
  hal::HostClose(writer_.node);
  hal::HostClose(fs_.Take(*this));
  hal::HostClose(node_);
}

Result<Attributes> HostVnode::GetAttributes() {
  const hal::HostAttributes from = TRY(hal::HostGetAttributes(node_));
  Attributes out;
  out.inode = host_inode_;
  out.size = from.size;
  out.blocks = from.blocks;
  out.mode = from.mode;
  out.uid = from.uid;
  out.gid = from.gid;
  out.links = from.links;
  out.device = fs_.device();
  out.rdev = from.rdev;
  out.atime = from.atime;
  out.mtime = from.mtime;
  out.ctime = from.ctime;
  out.btime = from.btime;
  return out;
}

Result<void> HostVnode::SetAttributes(const AttributeChange& change) {
  static_assert(uint32_t{AttributeChange::kMode} == hal::HostAttributeChange::kMode &&
                uint32_t{AttributeChange::kMtime} == hal::HostAttributeChange::kMtime);
  hal::HostAttributeChange host;
  host.valid = change.valid & ~uint32_t{AttributeChange::kCtime};
  host.mode = change.mode;
  host.uid = change.uid;
  host.gid = change.gid;
  host.atime = change.atime;
  host.mtime = change.mtime;
  // To keep both owners is no change, whoever asks.
  constexpr uint32_t kOwners = AttributeChange::kUid | AttributeChange::kGid;
  if ((host.valid & kOwners) == kOwners) {
    const hal::HostAttributes now = TRY(hal::HostGetAttributes(node_));
    if (now.uid == change.uid && now.gid == change.gid) host.valid &= ~kOwners;
  }
  if (host.valid == 0) return {};
  const OwnChange own(kHostAttrib | kHostModify, {self(), place()});
  return hal::HostSetAttributes(node_, host);
}

// ---- Directories.

// A directory that changed not long ago may change again without its times telling.
uint64_t HostVnode::NamesStamp() {
  constexpr hal::Nanoseconds kSettled = 100'000'000;
  const auto attributes = hal::HostGetAttributes(node_);
  if (!attributes.ok() || attributes.value().links == 0) return 0;
  const hal::Nanoseconds latest = std::max(attributes.value().mtime, attributes.value().ctime);
  if (latest > hal::RealtimeNow() - kSettled) return 0;
  return uint64_t(attributes.value().mtime) * 31 + uint64_t(attributes.value().ctime) + 1;
}

Result<RefPtr<Vnode>> HostVnode::Lookup(std::string_view name) {
  if (type_ != VnodeType::kDirectory) return Errno::kENOTDIR;
  return RefPtr<Vnode>(TRY(fs_.GetVnode(TRY(fs_.Lookup(node_, name)), this, name)));
}

Result<RefPtr<Vnode>> HostVnode::Create(std::string_view name, uint32_t mode, uint64_t,
                                        uint32_t uid, uint32_t gid) {
  const VnodeType type = TypeOfMode(mode);
  if (type == VnodeType::kCharDevice || type == VnodeType::kBlockDevice) return Errno::kEPERM;
  const hal::HostNode node = TRY(fs_.Create(*this, name, mode));
  fs_.SetOwner(node, PlaceOf(name), uid, gid);
  return RefPtr<Vnode>(TRY(fs_.GetVnode(node, this, name)));
}

Result<RefPtr<Vnode>> HostVnode::CreateUnnamed(uint32_t mode, uint32_t uid, uint32_t gid) {
  return Create({}, mode, 0, uid, gid);
}

Result<RefPtr<Vnode>> HostVnode::Symlink(std::string_view name, std::string_view target,
                                         uint32_t uid, uint32_t gid) {
  {
    const OwnChange own(kHostCreate, {PlaceOf(name)});
    TRY(hal::HostSymlink(node_, name, target));
  }
  const hal::HostNode node = TRY(fs_.Lookup(node_, name));
  fs_.SetOwner(node, PlaceOf(name), uid, gid);
  return RefPtr<Vnode>(TRY(fs_.GetVnode(node, this, name)));
}

Result<void> HostVnode::Link(std::string_view name, Vnode& target) {
  if (&target.file_system() != &fs_) return Errno::kEXDEV;
  const HostVnode& linked = static_cast<HostVnode&>(target);
  const OwnChange own(kHostCreate | kHostAttrib, {PlaceOf(name), linked.self(), linked.place()});
  return hal::HostLink(node_, name, linked.node_);
}

Result<void> HostVnode::Unlink(std::string_view name, Vnode& victim, bool directory) {
  const HostVnode& removed = static_cast<HostVnode&>(victim);
  const OwnChange own(kHostDelete | kHostAttrib, {PlaceOf(name), removed.self(), removed.place()});
  return hal::HostUnlink(node_, name, directory);
}

Result<void> HostVnode::Rename(std::string_view name, Vnode& moved, Vnode& new_parent,
                               std::string_view new_name, Vnode* victim, uint32_t flags) {
  if (&new_parent.file_system() != &fs_) return Errno::kEXDEV;
  constexpr uint32_t kExchange = 2;
  HostVnode& to = static_cast<HostVnode&>(new_parent);
  HostVnode& file = static_cast<HostVnode&>(moved);
  HostVnode& other = victim ? static_cast<HostVnode&>(*victim) : file;
  const OwnChange own(kHostMoved | kHostAttrib,
                      {PlaceOf(name), to.PlaceOf(new_name), file.self(), other.self()});
  TRY(hal::HostRename(node_, name, to.node_, new_name, flags));
  file.SetPlace(to, new_name);
  if (flags & kExchange) other.SetPlace(*this, name);
  return {};
}

Result<void> HostVnode::ReadDirectory(uint64_t cursor, DirentSink& sink) {
  if (type_ != VnodeType::kDirectory) return Errno::kENOTDIR;
  // struct linux_dirent64: number, position of the next, length, type, name.
  constexpr size_t kHeader = 19;
  const Use use(*this);
  Buffer memory;
  const auto buffer = TRY(memory.Get(8192));
  for (;;) {
    size_t size;
    {
      MutexLock lock(open_lock_);
      const hal::HostNode node = TRY(ReachLocked(false));
      size = TRY(hal::HostReadDirectory(node, cursor, buffer));
    }
    if (size == 0) return {};
    for (size_t at = 0; at + kHeader < size;) {
      uint64_t inode, next;
      uint16_t length;
      __builtin_memcpy(&inode, &buffer[at], 8);
      __builtin_memcpy(&next, &buffer[at + 8], 8);
      __builtin_memcpy(&length, &buffer[at + 16], 2);
      const auto type = VnodeType(buffer[at + 18]);
      if (length <= kHeader || length > size - at) return Errno::kEIO;
      const char* text = reinterpret_cast<const char*>(&buffer[at + kHeader]);
      const std::string_view padded(text, length - kHeader);
      const std::string_view name = padded.substr(0, padded.find('\0'));
      at += length;
      if (name == "." || name == "..") continue;
      if (!sink.Add(inode, type, name, next)) return {};
    }
  }
}

Result<String> HostVnode::ReadLink() {
  String target;
  TRY(target.Resize(kMaxLink));
  const size_t size = TRY(hal::HostReadLink(node_, {target.data(), target.size()}));
  TRY(target.Resize(size));
  return target;
}

RefPtr<HostVnode> HostVnode::FindParent() {
  const HostPlace at = place();
  if (type_ != VnodeType::kDirectory || at.inode == 0) return nullptr;
  return fs_.FindVnode(at.device, at.inode);
}

Result<void> HostVnode::BeginWatch() { return HostWatches::Get().Begin(*this); }
void HostVnode::EndWatch() { HostWatches::Get().End(*this); }

// ---- Open files.

Result<void> HostVnode::Opened(OpenFlags flags) {
  if (type_ != VnodeType::kRegular && type_ != VnodeType::kDirectory) return {};
  TRY(locks())->SetOuter(host_locks_);
  const bool writable = (uint32_t(flags) & 3) != 0;
  {
    MutexLock lock(open_lock_);
    open_count_++;
  }
  auto reached = Reach(writable);
  if (reached.ok()) return {};
  if (reached.error() == Errno::kEMFILE) {
    fs_.DropCaches();
    if (Reach(writable).ok()) return {};
  }
  Closed(flags);
  return reached.error();
}

void HostVnode::Closed(OpenFlags) {
  if (type_ != VnodeType::kRegular && type_ != VnodeType::kDirectory) return;
  OpenNode reader, writer;
  {
    MutexLock lock(open_lock_);
    if (--open_count_ > 0) return;
    host_locks_.Close();
    // A mapping that outlives its file needs the host file too.
    const auto in_use = [](const OpenNode& open) {
      return open.contents && open.contents->ref_count() > 1;
    };
    if (!in_use(reader_)) std::swap(reader, reader_);
    if (!in_use(writer_)) std::swap(writer, writer_);
  }
  reader.contents = nullptr;
  writer.contents = nullptr;
  fs_.Keep(*this, reader.node);
  if (writer.node == hal::kNoHostNode) return;
  const OwnChange own(kHostCloseWrite, {self(), place()});
  hal::HostClose(writer.node);
  if (HostWatches::Any()) hal::HostSettle();
}

Result<hal::HostNode> HostVnode::ReachLocked(bool writable) {
  if (writer_.node != hal::kNoHostNode) return writer_.node;
  OpenNode& open = writable ? writer_ : reader_;
  if (open.node == hal::kNoHostNode && !writable) open.node = fs_.Take(*this);
  if (open.node == hal::kNoHostNode) open.node = TRY(hal::HostOpen(node_, writable));
  return open.node;
}

Result<hal::HostNode> HostVnode::Reach(bool writable) {
  MutexLock lock(open_lock_);
  return ReachLocked(writable);
}

Result<size_t> HostVnode::Read(uint64_t offset, DataSink& sink) {
  if (type_ != VnodeType::kRegular) return Errno::kEINVAL;
  const Use use(*this);
  const hal::HostNode node = TRY(Reach(false));
  Buffer buffer;
  size_t done = 0;
  for (bool ended = false; !ended && sink.remaining() > 0;) {
    const auto got = ReadSome(node, offset + done, sink, buffer, ended);
    if (!got.ok() && done == 0) return got.error();
    if (!got.ok()) break;
    done += got.value();
  }
  return done;
}

Result<size_t> HostVnode::WriteLocked(uint64_t offset, DataSource& source) {
  const hal::HostNode node = TRY(Reach(true));
  Buffer buffer;
  size_t done = 0;
  while (source.remaining() > 0) {
    const auto written = WriteSome(*this, node, offset + done, source, buffer);
    if (!written.ok() && done == 0) return written.error();
    if (!written.ok() || written.value() == 0) break;
    done += written.value();
  }
  FollowSize(offset + done);
  return done;
}

Result<size_t> HostVnode::Write(uint64_t offset, DataSource& source) {
  if (type_ != VnodeType::kRegular) return Errno::kEINVAL;
  const Use use(*this);
  MutexLock lock(write_lock_);
  return WriteLocked(offset, source);
}

Result<size_t> HostVnode::Append(DataSource& source, uint64_t& offset) {
  if (type_ != VnodeType::kRegular) return Errno::kEINVAL;
  const Use use(*this);
  MutexLock lock(write_lock_);
  offset = TRY(hal::HostGetAttributes(node_)).size;
  return WriteLocked(offset, source);
}

// What is mapped grows with the file.
void HostVnode::FollowSize(uint64_t size) {
  MutexLock lock(open_lock_);
  for (OpenNode* open : {&reader_, &writer_}) {
    if (open->contents && open->contents->size() < size)
      static_cast<void>(open->contents->Resize(size));  // larger than a bank: not mapped
  }
}

Result<RefPtr<VmObject>> HostVnode::Contents() {
  if (type_ != VnodeType::kRegular) return Errno::kENODEV;
  const uint64_t size = TRY(hal::HostGetAttributes(node_)).size;
  MutexLock lock(open_lock_);
  const hal::HostNode node = TRY(ReachLocked(false));
  OpenNode& open = node == writer_.node ? writer_ : reader_;
  if (!open.contents) {
    const hal::PhysRange bank = TRY(hal::HostFileBank(node));
    open.contents = TRY(VmObject::CreatePhysical(bank, size));
  } else if (open.contents->size() != size) {
    TRY(open.contents->Resize(size));
  }
  return open.contents;
}

Result<void> HostVnode::Truncate(uint64_t size) {
  if (type_ != VnodeType::kRegular) return Errno::kEINVAL;
  const Use use(*this);
  const hal::HostNode node = TRY(Reach(true));
  {
    const OwnChange own(kHostModify | kHostAttrib, {self(), place()});
    TRY(hal::HostTruncate(node, size));
  }
  MutexLock lock(open_lock_);
  for (OpenNode* open : {&reader_, &writer_})
    if (open->contents) TRY(open->contents->Resize(size));
  return {};
}

Result<void> HostVnode::Allocate(uint32_t mode, uint64_t offset, uint64_t size) {
  const Use use(*this);
  const hal::HostNode node = TRY(Reach(true));
  {
    const OwnChange own(kHostModify | kHostAttrib, {self(), place()});
    TRY(hal::HostAllocate(node, mode, offset, size));
  }
  FollowSize(TRY(hal::HostGetAttributes(node_)).size);
  return {};
}

Result<uint64_t> HostVnode::SeekData(uint64_t offset, bool data) {
  constexpr int kSeekData = 3, kSeekHole = 4;
  const Use use(*this);
  return hal::HostSeek(TRY(Reach(false)), offset, data ? kSeekData : kSeekHole);
}

Result<void> HostVnode::Sync(bool data_only) {
  if (type_ != VnodeType::kRegular && type_ != VnodeType::kDirectory) return {};
  const Use use(*this);
  return hal::HostSync(TRY(Reach(false)), data_only);
}

}  // namespace zrun::vfs
