#include "compat/boot.h"
#include "compat/proc_source.h"
#include "compat/strace_format.h"
#include "hal/host_files.h"
#include "vfs/erofs/erofs.h"
#include "vfs/hostfs/hostfs.h"
#include "vfs/overlayfs/overlay.h"
#include "vfs/procfs/procfs.h"
#include "vfs/ramfs/ramfs.h"

// What the container finds mounted.
namespace zrun::compat {

namespace {

using vfs::MountFlags;

// Says which mount failed, for the error alone is little help.
Errno Complain(std::string_view what, std::string_view where, Errno error) {
  Kernel::Get().Log(LogLevel::kError, "cannot mount ", what, " on ", where, ": ", ErrorText(error));
  return error;
}

class Mounter {
 public:
  Mounter(vfs::MountNamespace& mounts, const vfs::Credentials& credentials)
      : mounts_(mounts), context_{credentials, mounts, mounts.root(), mounts.root()} {}

  Result<void> Mount(Result<RefPtr<vfs::FileSystem>> made, std::string_view where, MountFlags flags,
                     std::string_view source, bool on_file = false) {
    auto mounted = Try(std::move(made), where, flags, source, on_file);
    if (!mounted.ok()) return Complain(source, where, mounted.error());
    return {};
  }
  // By the name of its type; one that this kernel does not have is passed over.
  Result<void> MountType(std::string_view type, std::string_view where, MountFlags flags,
                         std::string_view options = {}) {
    const vfs::FileSystemType* known = vfs::FindFileSystemType(type);
    if (!known) return {};
    return Mount(known->mount(type, options), where, flags, type);
  }
  // One file, |root|, of a file system.
  Result<void> MountFile(RefPtr<vfs::Dentry> root, std::string_view where, MountFlags flags,
                         std::string_view source) {
    auto mounted = Attach(std::move(root), where, flags, source, true);
    if (!mounted.ok()) return Complain(source, where, mounted.error());
    return {};
  }
  const vfs::WalkContext& context() const { return context_; }

 private:
  Result<void> Try(Result<RefPtr<vfs::FileSystem>> made, std::string_view where, MountFlags flags,
                   std::string_view source, bool on_file) {
    const auto file_system = TRY(std::move(made));
    auto root = TRY(vfs::Dentry::CreateRoot(file_system->Root()));
    return Attach(std::move(root), where, flags, source, on_file);
  }
  Result<void> Attach(RefPtr<vfs::Dentry> root, std::string_view where, MountFlags flags,
                      std::string_view source, bool on_file) {
    const vfs::Path place = TRY(Place(where, on_file));
    RefPtr<vfs::FileSystem> file_system(&root->file_system());
    auto mount = TRY(vfs::Mount::Create(std::move(file_system), std::move(root), flags, source));
    return mounts_.Attach(place, std::move(mount));
  }
  // Mount points need not be in the image, nor what its links name.
  Result<vfs::Path> Place(std::string_view name, bool file) {
    auto found = vfs::Walk(context_, name, vfs::WalkFlags::kNone);
    if (found.ok() && found.value().vnode()) return found;
    const String resolved = TRY(FollowDangling(name));
    const std::string_view where = resolved;
    if (!file) {
      TRY(MakeDirectories(context_, where));
    } else {
      TRY(MakeDirectories(context_, where.substr(0, where.rfind('/'))));
      TRY(vfs::MakeNode(context_, where, vfs::kModeRegular | 0644, 0));
    }
    return vfs::Walk(context_, where, vfs::WalkFlags::kNone);
  }

  RefPtr<vfs::Vnode> Find(std::string_view name, vfs::WalkFlags flags) {
    const auto found = vfs::Walk(context_, name, flags);
    return found.ok() ? found.value().vnode() : nullptr;
  }
  // The absolute |name| without symbolic links that name nothing.
  Result<String> FollowDangling(std::string_view name) {
    constexpr int kMostLinks = 40;
    String path = TRY(String::Create(name));
    size_t end = 0;
    for (int links = 0; end != std::string_view::npos;) {
      end = path.view().find('/', end + 1);
      const std::string_view prefix = path.view().substr(0, end);
      const auto link = Find(prefix, vfs::WalkFlags::kNoFollow);
      if (!link) return path;
      if (link->type() != vfs::VnodeType::kSymlink || Find(prefix, vfs::WalkFlags::kNone)) continue;
      if (++links > kMostLinks) return Errno::kELOOP;
      const String target = TRY(link->ReadLink());
      String next;
      if (!target.view().starts_with('/'))
        TRY(next.Append(prefix.substr(0, prefix.rfind('/') + 1)));
      TRY(next.Append(target.view()));
      if (end != std::string_view::npos) TRY(next.Append(path.view().substr(end)));
      path = std::move(next);
      end = 0;
    }
    return path;
  }

  vfs::MountNamespace& mounts_;
  const vfs::WalkContext context_;
};

// --tmpfs PATH[:OPTIONS]: what concerns the mount, and what concerns the file system.
Result<void> MountTmpfsOption(Mounter& mounter, std::string_view text) {
  const size_t colon = text.find(':');
  const std::string_view where = text.substr(0, colon);
  std::string_view options =
      colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  MountFlags flags = MountFlags::kNoSuid | MountFlags::kNoDev | MountFlags::kNoExec;
  String rest = TRY(String::Create("mode=1777"));
  while (!options.empty()) {
    const size_t comma = std::min(options.find(','), options.size());
    const std::string_view option = options.substr(0, comma);
    options.remove_prefix(std::min(comma + 1, options.size()));
    if (option == "ro") {
      flags |= MountFlags::kReadOnly;
    } else if (option == "exec") {
      flags = flags & ~MountFlags::kNoExec;
    } else if (option == "suid") {
      flags = flags & ~MountFlags::kNoSuid;
    } else if (option == "dev") {
      flags = flags & ~MountFlags::kNoDev;
    } else if (option != "rw" && option != "noexec" && option != "nosuid" && option != "nodev") {
      TRY(rest.Append(","));
      TRY(rest.Append(option));
    }
  }
  return mounter.Mount(vfs::MountTmpfs("tmpfs", rest), where, flags, "tmpfs");
}

// What a container without a network is told about names, as other container runtimes do it: by
// files that lie over the image's, in memory. What the user mounts comes later, and over them.
Result<void> MountNameFiles(Mounter& mounter, std::string_view hostname) {
  TextBuilder hosts;
  Write(hosts, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.0.1\t",
        hostname, "\n");
  TRY(hosts.result());
  const TextBuffer<80> name(hostname, "\n");
  const struct {
    std::string_view file, path, text;
  } kFiles[] = {
      {"hosts", "/etc/hosts", hosts.view()},
      {"hostname", "/etc/hostname", name.view()},
      {"resolv.conf", "/etc/resolv.conf", "# There is no network, and so no name server.\n"},
  };
  const auto file_system = TRY(vfs::MountTmpfs("tmpfs", "mode=755"));
  const auto root = TRY(vfs::Dentry::CreateRoot(file_system->Root()));
  for (const auto& each : kFiles) {
    auto dentry = TRY(root->Create(each.file, vfs::kModeRegular | 0644, 0, 0, 0, true));
    vfs::SpanSource source(std::as_bytes(std::span(each.text.data(), each.text.size())));
    TRY(dentry->vnode()->Write(0, source));
    TRY(mounter.MountFile(std::move(dentry), each.path, MountFlags::kRelAtime, "tmpfs"));
  }
  return {};
}

Result<void> MountVolumes(Mounter& mounter) {
  hal::HostVolume volume;
  for (unsigned i = 0; hal::GetHostVolume(i, volume); i++) {
    const auto attributes = TRY(hal::HostGetAttributes(volume.root));
    const bool is_file = (attributes.mode & vfs::kModeTypeMask) != vfs::kModeDirectory;
    const MountFlags flags = volume.read_only ? MountFlags::kReadOnly : MountFlags::kNone;
    TRY(mounter.Mount(vfs::MountHostVolume(volume), volume.target, flags, "host", is_file));
  }
  return {};
}

}  // namespace

Result<void> MakeDirectories(const vfs::WalkContext& context, std::string_view path) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string_view prefix = path.substr(0, end);
    if (!prefix.empty() && prefix != "/") {
      auto made = vfs::MakeDirectory(context, prefix, 0755);
      if (!made.ok() && made.error() != Errno::kEEXIST) return made.error();
    }
    if (end == std::string_view::npos) return {};
  }
}

Result<RefPtr<vfs::MountNamespace>> BuildMounts(const BootOptions& options) {
  auto image = vfs::MountRootImage();
  if (!image.ok()) return Complain("the image", "/", image.error());
  const RefPtr<vfs::FileSystem> lowers[] = {std::move(image).value()};
  auto overlay = TRY(vfs::MountOverlay(lowers, {}));
  auto root_dentry = TRY(vfs::Dentry::CreateRoot(overlay->Root()));
  auto root =
      TRY(vfs::Mount::Create(overlay, std::move(root_dentry), MountFlags::kRelAtime, "overlay"));
  auto mounts = TRY(vfs::MountNamespace::Create(root));
  auto credentials = RootCredentials();
  Mounter mounter(*mounts, *credentials);
  const MountFlags plain = MountFlags::kNoSuid | MountFlags::kNoDev | MountFlags::kNoExec;
  vfs::SetProcSource(&GetProcSource());
  TRY(mounter.MountType("proc", "/proc", plain));
  TRY(mounter.MountType("sysfs", "/sys", plain | MountFlags::kReadOnly));
  TRY(mounter.MountType("devtmpfs", "/dev", MountFlags::kNoSuid));
  TRY(mounter.MountType("devpts", "/dev/pts", MountFlags::kNoSuid | MountFlags::kNoExec));
  TRY(mounter.MountType("tmpfs", "/dev/shm", plain, "mode=1777"));
  TRY(MountNameFiles(mounter, options.hostname));
  for (std::string_view text : options.tmpfs) TRY(MountTmpfsOption(mounter, text));
  TRY(MountVolumes(mounter));
  TRY(MakeDirectories(mounter.context(), options.working_directory));
  // Only now: mount points had to be made.
  if (options.read_only) root->set_flags(root->flags() | MountFlags::kReadOnly);
  return mounts;
}

}  // namespace zrun::compat
