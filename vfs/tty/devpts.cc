#include "vfs/tty/devpts.h"

#include "base/text.h"
#include "vfs/devfs/devices.h"
#include "vfs/tty/pty.h"
#include "vfs/tty/pty_pair.h"

namespace zrun::vfs {
namespace {

constexpr uint64_t kDevPtsMagic = 0x1cd1;  // <linux/magic.h>
constexpr uint64_t kRootInode = 1, kPtmxInode = 2;

constinit Mutex options_lock{LockRank::kLeaf};
constinit DevPtsOptions shared_options GUARDED_BY(options_lock) = {};

class DevPts final : public FileSystem {
 public:
  DevPts() : mounted_at_(hal::RealtimeNow()) {}
  std::string_view type_name() const override { return "devpts"; }
  RefPtr<Vnode> Root() override;
  Result<StatFs> GetStatFs() override {
    StatFs stat;
    stat.type = kDevPtsMagic;
    return stat;
  }
  hal::Nanoseconds mounted_at() const { return mounted_at_; }

 private:
  const hal::Nanoseconds mounted_at_;
};

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
    Attributes attributes = BaseAttributes(kPtmxInode, kModeChar | GetDevPtsOptions().ptmx_mode);
    attributes.rdev = kPtmxDevice;
    return attributes;
  }
  Result<void> SetAttributes(const AttributeChange& change) override {
    if (change.valid & AttributeChange::kMode) {
      MutexLock lock(options_lock);
      shared_options.ptmx_mode = change.mode & 0777;
    }
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
    if (!is_canonical || number.value >= Pty::kMaxPtys) return Errno::kENOENT;
    RefPtr<Pty> pty = Pty::Find(uint32_t(number.value));
    if (!pty) return Errno::kENOENT;
    return TRY(MakeRef<SlaveNode>(file_system_, std::move(pty)));
  }
  Result<void> ReadDirectory(uint64_t cursor, DirentSink& sink) override {
    if (cursor == 0) {
      if (!sink.Add(kPtmxInode, VnodeType::kCharDevice, "ptmx", 1)) return {};
      cursor = 1;
    }
    for (uint32_t number = Pty::NextNumber(uint32_t(cursor - 1)); number < Pty::kMaxPtys;
         number = Pty::NextNumber(number + 1)) {
      const TextBuffer<16> name(number);
      if (!sink.Add(number + 3, VnodeType::kCharDevice, name.view(), number + 2)) return {};
    }
    return {};
  }
};

RefPtr<Vnode> DevPts::Root() {
  auto root = MakeRef<RootNode>(RefPtr<DevPts>(this));
  return root.ok() ? RefPtr<Vnode>(std::move(root).value()) : nullptr;
}

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

DevPtsOptions GetDevPtsOptions() {
  MutexLock lock(options_lock);
  return shared_options;
}

Result<RefPtr<FileSystem>> MountDevPts(std::string_view, std::string_view options) {
  const DevPtsOptions parsed = TRY(ParseOptions(options));
  auto file_system = TRY(MakeRef<DevPts>());
  MutexLock lock(options_lock);
  shared_options = parsed;
  return file_system;
}

Result<Path> DevPtsPath(const Path& master, Pty& pty) {
  const TextBuffer<16> number(pty.number());
  if (master.mount && master.mount->file_system().type_name() == "devpts") {
    auto dentry = TRY(master.mount->root()->Lookup(number.view()));
    return Path{master.mount, std::move(dentry)};
  }
  // The ptmx of /dev: its mount does not tell where devpts is, so the place is only named.
  auto file_system = TRY(MakeRef<DevPts>());
  auto node = TRY(MakeRef<SlaveNode>(std::move(file_system), RefPtr<Pty>(&pty)));
  const TextBuffer<32> name("/dev/pts/", number.view());
  return Path{nullptr, TRY(Dentry::CreateDetached(std::move(node), name.view()))};
}

}  // namespace zrun::vfs
