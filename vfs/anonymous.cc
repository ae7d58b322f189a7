#include "vfs/anonymous.h"

#include "base/text.h"
#include "objects/task/call_time.h"
#include "vfs/pipe.h"

namespace zrun::vfs {
namespace {

// What anonymous files belong to, by their type; never mounted.
struct Kind {
  std::string_view name;
  uint64_t magic;  // <linux/magic.h>
};
constexpr Kind kKinds[] = {
    {"anon_inodefs", 0x09041934}, {"pipefs", 0x50495045}, {"sockfs", 0x534f434b}};

class AnonymousFileSystem final : public FileSystem {
 public:
  explicit AnonymousFileSystem(const Kind& kind) : kind_(kind) {}
  std::string_view type_name() const override { return kind_.name; }
  RefPtr<Vnode> Root() override { return nullptr; }
  Result<StatFs> GetStatFs() override {
    StatFs stat;
    stat.type = kind_.magic;
    return stat;
  }

 private:
  const Kind& kind_;
};

constinit std::atomic<AnonymousFileSystem*> instances[std::size(kKinds)] = {};
constinit std::atomic<uint64_t> next_inode{1};

Result<AnonymousFileSystem*> GetFileSystem(uint32_t mode) {
  const uint32_t type = mode & kModeTypeMask;
  const size_t index = type == kModeFifo ? 1 : type == kModeSocket ? 2 : 0;
  auto& instance = instances[index];
  if (auto* existing = instance.load(std::memory_order_acquire)) return existing;
  auto created = TRY(MakeRef<AnonymousFileSystem>(kKinds[index]));
  AnonymousFileSystem* expected = nullptr;
  if (instance.compare_exchange_strong(expected, created.get()))
    return created.Leak();  // lives for ever
  return expected;
}

class AnonymousVnode final : public Vnode {
 public:
  AnonymousVnode(AnonymousFileSystem& file_system, uint64_t inode, uint32_t mode, FileOwner owner,
                 Reopener* reopener)
      : file_system_(file_system), inode_(inode), type_(TypeOfMode(mode)), reopener_(reopener) {
    attributes_.inode = inode;
    attributes_.mode = mode;
    attributes_.uid = owner.uid;
    attributes_.gid = owner.gid;
    attributes_.device = file_system.device();
    attributes_.atime = attributes_.mtime = attributes_.ctime = attributes_.btime = CallTime::Now();
  }
  VnodeType type() const override { return type_; }
  FileSystem& file_system() const override { return file_system_; }
  uint64_t inode() const override { return inode_; }
  Result<Attributes> GetAttributes() override {
    MutexLock lock(lock_);
    return attributes_;
  }
  Result<void> SetAttributes(const AttributeChange& change) override {
    MutexLock lock(lock_);
    if (change.valid & AttributeChange::kMode)
      attributes_.mode = (attributes_.mode & kModeTypeMask) | (change.mode & ~kModeTypeMask);
    if (change.valid & AttributeChange::kUid) attributes_.uid = change.uid;
    if (change.valid & AttributeChange::kGid) attributes_.gid = change.gid;
    if (change.valid & AttributeChange::kAtime) attributes_.atime = change.atime;
    if (change.valid & AttributeChange::kMtime) attributes_.mtime = change.mtime;
    if (change.valid & AttributeChange::kCtime) attributes_.ctime = change.ctime;
    return {};
  }
  Result<RefPtr<FileDescription>> Open(const Path& path, OpenFlags flags) override {
    if (reopener_) return reopener_->Reopen(path, flags);
    if (type_ == VnodeType::kFifo) return OpenFifo(path, flags);
    return Errno::kENXIO;
  }

 private:
  AnonymousFileSystem& file_system_;
  const uint64_t inode_;
  const VnodeType type_;
  Reopener* const reopener_;
  mutable Mutex lock_{LockRank::kVnode};
  Attributes attributes_ GUARDED_BY(lock_);
};

}  // namespace

Result<Path> MakeAnonymousPath(std::string_view name, uint32_t mode, FileOwner owner,
                               RefPtr<KernelObject> endpoint, Reopener* reopener) {
  AnonymousFileSystem* file_system = TRY(GetFileSystem(mode));
  const uint64_t inode = next_inode.fetch_add(1, std::memory_order_relaxed);
  auto vnode = TRY(MakeRef<AnonymousVnode>(*file_system, inode, mode, owner, reopener));
  if (endpoint) vnode->AttachObject(std::move(endpoint));
  Path path;
  const uint32_t type = mode & kModeTypeMask;
  if (type == kModeFifo || type == kModeSocket) {
    TextBuffer<48> text(name, ":[", inode, "]");
    path.dentry = TRY(Dentry::CreateDetached(std::move(vnode), text.view()));
  } else {
    path.dentry = TRY(Dentry::CreateDetached(std::move(vnode), name));
  }
  return path;
}

}  // namespace zrun::vfs
