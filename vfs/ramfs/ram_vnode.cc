#include "vfs/ramfs/ram_vnode.h"

namespace zrun::vfs {
namespace {

constexpr uint32_t kXattrCreate = 1, kXattrReplace = 2;
constexpr uint32_t kMaxLinks = INT32_MAX;
constexpr hal::Nanoseconds kDay = 24 * 3600 * hal::kSecond;
// The time of the latest change anywhere: near enough to see whether an access time is a day old.
constinit std::atomic<hal::Nanoseconds> recent_now{0};

}  // namespace

RamVnode::RamVnode(RamFileSystem& fs, uint64_t inode, uint32_t mode, uint32_t uid, uint32_t gid,
                   uint64_t rdev)
    : fs_(fs),
      type_(TypeOfMode(mode)),
      inode_(inode),
      rdev_(rdev),
      mode_(mode),
      uid_(uid),
      gid_(gid) {
  const hal::Nanoseconds now = CallTime::Now();
  recent_now.store(now, std::memory_order_relaxed);
  atime_ = mtime_ = ctime_ = btime_ = now;
}

RamVnode::~RamVnode() { fs_.ReleaseInode(); }

void RamVnode::AdoptAttributes(const Attributes& attributes) {
  mode_ = (attributes.mode & ~kModeTypeMask) | ModeOfType(type_);
  uid_ = attributes.uid;
  gid_ = attributes.gid;
  // An image may say anything; a file that is found has a name.
  links_ = std::max(attributes.links, type_ == VnodeType::kDirectory ? 2u : 1u);
  atime_ = attributes.atime;
  mtime_ = attributes.mtime;
  ctime_ = attributes.ctime;
  btime_ = attributes.btime;
}

Result<Attributes> RamVnode::GetAttributes() {
  Attributes out;
  out.inode = inode_;
  out.size = stat_size();
  out.blocks = stat_bytes() / 512;
  out.mode = mode_.load(std::memory_order_relaxed);
  out.uid = uid_.load(std::memory_order_relaxed);
  out.gid = gid_.load(std::memory_order_relaxed);
  out.links = links();
  out.device = fs_.device();
  out.rdev = rdev_;
  out.atime = atime_.load(std::memory_order_relaxed);
  out.mtime = mtime_.load(std::memory_order_relaxed);
  out.ctime = ctime_.load(std::memory_order_relaxed);
  out.btime = btime_;
  return out;
}

Result<void> RamVnode::SetFlags(uint32_t flags) {
  BeforeChange();
  set_inode_flags(flags);
  TouchChanged();
  return {};
}

Result<void> RamVnode::SetAttributes(const AttributeChange& change) {
  BeforeChange();
  if (change.valid & AttributeChange::kMode)
    mode_.store(ModeOfType(type_) | (change.mode & 07777), std::memory_order_relaxed);
  if (change.valid & AttributeChange::kUid) uid_.store(change.uid, std::memory_order_relaxed);
  if (change.valid & AttributeChange::kGid) gid_.store(change.gid, std::memory_order_relaxed);
  if (change.valid & AttributeChange::kAtime) atime_.store(change.atime, std::memory_order_relaxed);
  if (change.valid & AttributeChange::kMtime) mtime_.store(change.mtime, std::memory_order_relaxed);
  ctime_.store(change.valid & AttributeChange::kCtime ? change.ctime : CallTime::Now(),
               std::memory_order_relaxed);
  return {};
}

void RamVnode::TouchModified() {
  const hal::Nanoseconds now = CallTime::Now();
  recent_now.store(now, std::memory_order_relaxed);
  mtime_.store(now, std::memory_order_relaxed);
  ctime_.store(now, std::memory_order_relaxed);
}

void RamVnode::NoteAccess() {
  const hal::Nanoseconds atime = atime_.load(std::memory_order_relaxed);
  if (atime > mtime_.load(std::memory_order_relaxed) &&
      atime > ctime_.load(std::memory_order_relaxed) &&
      atime + kDay > recent_now.load(std::memory_order_relaxed))
    return;
  const hal::Nanoseconds now = CallTime::Now();
  recent_now.store(now, std::memory_order_relaxed);
  atime_.store(now, std::memory_order_relaxed);
}

Result<void> RamVnode::AddLink(uint32_t count) {
  if (links() > kMaxLinks - count) return Errno::kEMLINK;
  BeforeChange();
  links_.fetch_add(count, std::memory_order_relaxed);
  TouchChanged();
  return {};
}

void RamVnode::RemoveLink(uint32_t count) {
  const uint32_t before = links_.fetch_sub(count, std::memory_order_relaxed);
  TouchChanged();
  if (before <= count) AfterLastUnlink();
}

RamVnode::Xattr* RamVnode::FindXattr(std::string_view name) {
  for (Xattr& xattr : xattrs_)
    if (xattr.name.view() == name) return &xattr;
  return nullptr;
}

// Copies what the origin has, once, before the first change.
Result<void> RamVnode::LoadXattrs() {
  Vnode* origin = xattr_origin();
  if (!origin || xattrs_loaded_.load(std::memory_order_acquire)) return {};
  Vector<Xattr> copied;
  size_t bytes = 0;
  auto size = origin->ListXattr({});
  if (size.ok() && size.value() > 0) {
    Vector<char> names;
    TRY(names.Resize(size.value()));
    TRY(origin->ListXattr(names));
    for (std::string_view rest(names.data(), names.size()); !rest.empty();) {
      const size_t end = rest.find('\0');
      if (end == std::string_view::npos) break;
      Xattr xattr;
      xattr.name = TRY(String::Create(rest.substr(0, end)));
      rest.remove_prefix(end + 1);
      TRY(xattr.value.Resize(TRY(origin->GetXattr(xattr.name, {}))));
      TRY(origin->GetXattr(xattr.name, xattr.value));
      bytes += xattr.name.size() + xattr.value.size();
      TRY(copied.PushBack(std::move(xattr)));
    }
  } else if (!size.ok() && size.error() != Errno::kEOPNOTSUPP) {
    return size.error();
  }
  MutexLock lock(xattr_lock_);
  if (xattrs_loaded_.load(std::memory_order_relaxed)) return {};
  xattrs_ = std::move(copied);
  xattr_bytes_ = bytes;
  xattrs_loaded_.store(true, std::memory_order_release);
  return {};
}

Result<size_t> RamVnode::GetXattr(std::string_view name, std::span<std::byte> value) {
  if (!xattrs_loaded_.load(std::memory_order_acquire)) {
    if (Vnode* origin = xattr_origin()) {
      auto got = origin->GetXattr(name, value);
      if (!got.ok() && got.error() == Errno::kEOPNOTSUPP) return Errno::kENODATA;
      return got;
    }
  }
  MutexLock lock(xattr_lock_);
  const Xattr* xattr = FindXattr(name);
  if (!xattr) return Errno::kENODATA;
  const size_t size = xattr->value.size();
  if (value.empty()) return size;
  if (value.size() < size) return Errno::kERANGE;
  __builtin_memcpy(value.data(), xattr->value.data(), size);
  return size;
}

Result<void> RamVnode::SetXattr(std::string_view name, std::span<const std::byte> value,
                                uint32_t flags) {
  BeforeChange();
  TRY(LoadXattrs());
  Xattr fresh;
  fresh.name = TRY(String::Create(name));
  TRY(fresh.value.Append(value));
  MutexLock lock(xattr_lock_);
  Xattr* old = FindXattr(name);
  if (old && (flags & kXattrCreate)) return Errno::kEEXIST;
  if (!old && (flags & kXattrReplace)) return Errno::kENODATA;
  const size_t freed = old ? old->value.size() : 0;
  const size_t wanted = value.size() + (old ? 0 : name.size());
  if (xattr_bytes_ - freed + wanted > kMaxXattrBytes) return Errno::kENOSPC;
  if (old) {
    *old = std::move(fresh);
  } else {
    TRY(xattrs_.PushBack(std::move(fresh)));
  }
  xattr_bytes_ += wanted - freed;
  TouchChanged();
  return {};
}

Result<void> RamVnode::RemoveXattr(std::string_view name) {
  BeforeChange();
  TRY(LoadXattrs());
  MutexLock lock(xattr_lock_);
  Xattr* old = FindXattr(name);
  if (!old) return Errno::kENODATA;
  xattr_bytes_ -= old->name.size() + old->value.size();
  xattrs_.Erase(size_t(old - xattrs_.data()));
  TouchChanged();
  return {};
}

Result<size_t> RamVnode::ListXattr(std::span<char> names) {
  if (!xattrs_loaded_.load(std::memory_order_acquire)) {
    if (Vnode* origin = xattr_origin()) return origin->ListXattr(names);
  }
  MutexLock lock(xattr_lock_);
  size_t size = 0;
  for (const Xattr& xattr : xattrs_) {
    const size_t end = size + xattr.name.size() + 1;
    if (!names.empty()) {
      if (end > names.size()) return Errno::kERANGE;
      __builtin_memcpy(names.data() + size, xattr.name.view().data(), xattr.name.size());
      names[end - 1] = 0;
    }
    size = end;
  }
  return size;
}

Result<RefPtr<RamVnode>> RamLink::Create(RamFileSystem& fs, std::string_view target, uint32_t uid,
                                         uint32_t gid) {
  if (PagesFor(target) > fs.free_bytes()) return Errno::kENOSPC;
  String text = TRY(String::Create(target));
  TRY(fs.ChargeInode());
  auto link = MakeRef<RamLink>(fs, fs.NextInode(), kModeSymlink | 0777, uid, gid, uint64_t{0});
  if (!link.ok()) {
    fs.ReleaseInode();
    return link.error();
  }
  link.value()->target_ = std::move(text);
  fs.ChargeBytes(int64_t(PagesFor(target)));
  return RefPtr<RamVnode>(std::move(link).value());
}

Result<RefPtr<RamVnode>> RamSpecial::Create(RamFileSystem& fs, uint32_t mode, uint64_t rdev,
                                            uint32_t uid, uint32_t gid) {
  TRY(fs.ChargeInode());
  auto special = MakeRef<RamSpecial>(fs, fs.NextInode(), mode, uid, gid, rdev);
  if (!special.ok()) {
    fs.ReleaseInode();
    return special.error();
  }
  return RefPtr<RamVnode>(std::move(special).value());
}

}  // namespace zrun::vfs
