#include "vfs/tty/devpts.h"

#include "base/text.h"
#include "vfs/devfs/devices.h"
#include "vfs/tty/pty.h"
#include "vfs/tty/pty_pair.h"

namespace zrun::vfs {
namespace {

constexpr uint64_t kDevPtsMagic = 0x1cd1;  // <linux/magic.h>
constexpr uint64_t kRootInode = 1, kPtmxInode = 2;

// In all instances.
constinit std::atomic<uint32_t> pty_count{0};

class PtsVnode : public Vnode {
 public:
  explicit PtsVnode(RefPtr<DevPts> file_system) : file_system_(std::move(file_system)) {}
  FileSystem& file_system() const override { return *file_system_; }
  Attributes BaseAttributes(uint64_t inode, uint32_t mode) const {
    Attributes attributes;
    attributes.inode = inode;
    attributes.mode = mode;
    attributes.device = file_system_->device();
    attributes.block_size = 1024;
    attributes.atime = attributes.mtime = attributes.ctime = attributes.btime =
        file_system_->mounted_at();
    return attributes;
  }

 protected:
  const RefPtr<DevPts> file_system_;
};

class SlaveNode final : public PtsVnode {
 public:
  SlaveNode(RefPtr<DevPts> file_system, RefPtr<Pty> pty)
      : PtsVnode(std::move(file_system)), pty_(std::move(pty)) {}
  VnodeType type() const override { return VnodeType::kCharDevice; }
  uint64_t inode() const override { return pty_->number() + 3; }
  Result<Attributes> GetAttributes() override {
    Attributes attributes = pty_->attributes();
    attributes.device = file_system_->device();
    return attributes;
  }
  Result<void> SetAttributes(const AttributeChange& change) override {
    pty_->SetAttributes(change);
    return {};
  }

 private:
  const RefPtr<Pty> pty_;
};

class PtmxNode final : public PtsVnode {
 public:
  using PtsVnode::PtsVnode;
  VnodeType type() const override { return VnodeType::kCharDevice; }
  uint64_t inode() const override { return kPtmxInode; }
  Result<Attributes> GetAttributes() override {
    Attributes attributes = BaseAttributes(kPtmxInode, kModeChar | file_system_->ptmx_mode());
    attributes.rdev = kPtmxDevice;
    return attributes;
  }
  Result<void> SetAttributes(const AttributeChange& change) override {
    if (change.valid & AttributeChange::kMode) file_system_->set_ptmx_mode(change.mode & 0777);
    return {};
  }
};

class RootNode final : public PtsVnode {
 public:
  using PtsVnode::PtsVnode;
  VnodeType type() const override { return VnodeType::kDirectory; }
  uint64_t inode() const override { return kRootInode; }
  Result<Attributes> GetAttributes() override {
    Attributes attributes = BaseAttributes(kRootInode, kModeDirectory | 0755);
    attributes.links = 2;
    return attributes;
  }
  bool CacheNames() const override { return false; }
  Result<RefPtr<Vnode>> Lookup(std::string_view name) override {
    if (name == "ptmx") return TRY(MakeRef<PtmxNode>(file_system_));
    const ParsedNumber number = ParseUnsigned(name);
    const bool is_canonical =
        number.length == name.size() && number.length > 0 && (name[0] != '0' || name.size() == 1);
    if (!is_canonical || number.value >= DevPts::kMaxPtys) return Errno::kENOENT;
    RefPtr<Pty> pty = file_system_->Find(uint32_t(number.value));
    if (!pty) return Errno::kENOENT;
    return TRY(MakeRef<SlaveNode>(file_system_, std::move(pty)));
  }
  Result<void> ReadDirectory(uint64_t cursor, DirentSink& sink) override {
    if (cursor == 0) {
      if (!sink.Add(kPtmxInode, VnodeType::kCharDevice, "ptmx", 1)) return {};
      cursor = 1;
    }
    for (uint32_t number = file_system_->NextNumber(uint32_t(cursor - 1));
         number < DevPts::kMaxPtys; number = file_system_->NextNumber(number + 1)) {
      const TextBuffer<16> name(number);
      if (!sink.Add(number + 3, VnodeType::kCharDevice, name.view(), number + 2)) return {};
    }
    return {};
  }
};

// "gid=5,mode=620,ptmxmode=666"; options it does not know are EINVAL.
Result<DevPtsOptions> ParseOptions(std::string_view text) {
  DevPtsOptions options;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    const std::string_view option = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    if (option.empty() || option == "newinstance" || option.starts_with("max=")) continue;
    const size_t equals = option.find('=');
    if (equals == option.npos) return Errno::kEINVAL;
    const std::string_view key = option.substr(0, equals), digits = option.substr(equals + 1);
    const bool is_mode = key == "mode" || key == "ptmxmode";
    const ParsedNumber value = ParseUnsigned(digits, is_mode ? 8 : 10);
    if (value.length == 0 || value.length != digits.size()) return Errno::kEINVAL;
    if (key == "uid") {
      options.has_uid = true;
      options.uid = uint32_t(value.value);
    } else if (key == "gid") {
      options.has_gid = true;
      options.gid = uint32_t(value.value);
    } else if (key == "mode") {
      options.mode = uint32_t(value.value) & 0777;
    } else if (key == "ptmxmode") {
      options.ptmx_mode = uint32_t(value.value) & 0777;
    } else {
      return Errno::kEINVAL;
    }
  }
  return options;
}

}  // namespace

RefPtr<Vnode> DevPts::Root() {
  auto root = MakeRef<RootNode>(RefPtr<DevPts>(this));
  return root.ok() ? RefPtr<Vnode>(std::move(root).value()) : nullptr;
}

Result<StatFs> DevPts::GetStatFs() {
  StatFs stat;
  stat.type = kDevPtsMagic;
  return stat;
}

void DevPts::ShowOptions(TextSink& out) {
  if (options_.has_uid) Write(out, ",uid=", options_.uid);
  if (options_.has_gid) Write(out, ",gid=", options_.gid);
  Write(out, ",mode=", Octal{options_.mode, 3}, ",ptmxmode=", Octal{options_.ptmx_mode, 3});
}

uint32_t DevPts::count() { return pty_count.load(std::memory_order_relaxed); }

DevPts* DevPts::Of(const Path& path) {
  if (!path.dentry || path.dentry->file_system().type_name() != "devpts") return nullptr;
  return static_cast<DevPts*>(&path.dentry->file_system());
}

Result<Path> DevPts::MountFor(const Path& ptmx) {
  if (!ptmx.mount) return Errno::kENODEV;
  if (Of(ptmx)) return Path{ptmx.mount, ptmx.mount->root()};
  JobControl* const jobs = GetJobControl();
  Path beside{ptmx.mount, TRY(ptmx.dentry->parent()->Lookup("pts"))};
  const Path found = jobs ? jobs->FollowMounts(std::move(beside)) : std::move(beside);
  if (!Of(found) || !found.dentry->is_root()) return Errno::kENODEV;
  return found;
}

// ---- Numbers

Result<uint32_t> DevPts::TakeNumber() {
  MutexLock lock(lock_);
  for (uint32_t number = 0; number < kMaxPtys; number++) {
    if (taken_[number]) continue;
    if (pty_count.fetch_add(1) >= kMaxPtys) {
      pty_count.fetch_sub(1);
      break;
    }
    taken_[number] = true;
    return number;
  }
  return Errno::kENOSPC;
}

void DevPts::FreeNumber(uint32_t number) {
  MutexLock lock(lock_);
  table_[number] = nullptr;
  taken_[number] = false;
  pty_count.fetch_sub(1);
}

Result<RefPtr<Pty>> DevPts::NewPty(FileOwner caller) {
  FileOwner owner = caller;
  if (options_.has_uid) owner.uid = options_.uid;
  if (options_.has_gid) owner.gid = options_.gid;
  const uint32_t number = TRY(TakeNumber());
  auto made = MakeRef<Pty>(RefPtr<DevPts>(this), number, owner, options_.mode);
  if (!made.ok()) {
    FreeNumber(number);
    return made.error();
  }
  MutexLock lock(lock_);
  table_[number] = made.value().get();
  return made;
}

RefPtr<Pty> DevPts::Find(uint32_t number) {
  if (number >= kMaxPtys) return nullptr;
  MutexLock lock(lock_);
  Pty* const pty = table_[number];
  if (!pty || !pty->is_master_open() || !pty->TryAddRef()) return nullptr;
  return RefPtr<Pty>::Adopt(pty);
}

uint32_t DevPts::NextNumber(uint32_t number) {
  MutexLock lock(lock_);
  while (number < kMaxPtys && !(table_[number] && table_[number]->is_master_open())) number++;
  return number;
}

Result<RefPtr<FileSystem>> MountDevPts(std::string_view, std::string_view options) {
  return TRY(MakeRef<DevPts>(TRY(ParseOptions(options))));
}

}  // namespace zrun::vfs
