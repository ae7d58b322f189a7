#include "vfs/namei_internal.h"
#include "vfs/notify.h"

// xattr(7): who may see and set which name.
namespace zrun::vfs {
namespace {

constexpr size_t kMaxName = 255, kMaxValue = 65536;

enum class Namespace : uint8_t { kUser, kTrusted, kSecurity, kSystem };

Result<Namespace> NamespaceOf(std::string_view name) {
  const size_t dot = name.find('.');
  if (name.empty() || name.size() > kMaxName) return Errno::kERANGE;
  if (dot == std::string_view::npos) return Errno::kEOPNOTSUPP;
  const std::string_view prefix = name.substr(0, dot);
  if (prefix != "system" && dot + 1 == name.size()) return Errno::kEINVAL;
  if (prefix == "user") return Namespace::kUser;
  if (prefix == "trusted") return Namespace::kTrusted;
  if (prefix == "security") return Namespace::kSecurity;
  if (prefix == "system") return Namespace::kSystem;
  return Errno::kEOPNOTSUPP;
}

Result<void> CheckXattr(const Credentials& credentials, const Path& path, std::string_view name,
                        bool write) {
  const Namespace space = TRY(NamespaceOf(name));
  Vnode& vnode = *path.dentry->vnode();
  if (write) TRY(CheckWritableMount(path));
  if (write) TRY(CheckChangeable(vnode));
  switch (space) {
    case Namespace::kSystem:  // access control lists
      return Errno::kEOPNOTSUPP;
    case Namespace::kTrusted:
      if (credentials.Has(Capability::kSysAdmin)) return {};
      return write ? Errno::kEPERM : Errno::kENODATA;
    case Namespace::kSecurity:
      if (!write) return {};
      if (credentials.Has(name == "security.capability" ? Capability::kSetFcap
                                                        : Capability::kSysAdmin))
        return {};
      return Errno::kEPERM;
    case Namespace::kUser:
      break;
  }
  const Ownership ownership = TRY(vnode.GetOwnership());
  if (vnode.type() != VnodeType::kRegular && vnode.type() != VnodeType::kDirectory)
    return write ? Errno::kEPERM : Errno::kENODATA;
  if (write && (ownership.mode & kModeSticky) && vnode.type() == VnodeType::kDirectory &&
      !IsOwnerOrCapable(credentials, ownership))
    return Errno::kEPERM;
  return CheckMode(credentials, ownership, write ? kMayWrite : kMayRead);
}

}  // namespace

Result<size_t> GetXattr(const Credentials& credentials, const Path& path, std::string_view name,
                        std::span<std::byte> value) {
  TRY(CheckXattr(credentials, path, name, false));
  return path.dentry->vnode()->GetXattr(name, value);
}

Result<void> SetXattr(const Credentials& credentials, const Path& path, std::string_view name,
                      std::span<const std::byte> value, uint32_t flags) {
  if (flags > 2) return Errno::kEINVAL;
  if (value.size() > kMaxValue) return Errno::kE2BIG;
  TRY(CheckXattr(credentials, path, name, true));
  TRY(path.dentry->vnode()->SetXattr(name, value, flags));
  NotifyFile(path, NotifyEvent::kAttrib);
  return {};
}

Result<void> RemoveXattr(const Credentials& credentials, const Path& path, std::string_view name) {
  TRY(CheckXattr(credentials, path, name, true));
  TRY(path.dentry->vnode()->RemoveXattr(name));
  NotifyFile(path, NotifyEvent::kAttrib);
  return {};
}

Result<size_t> ListXattr(const Credentials& credentials, const Path& path, std::span<char> names) {
  Vnode& vnode = *path.dentry->vnode();
  const auto none_if_unsupported = [](Result<size_t> listed) -> Result<size_t> {
    if (!listed.ok() && listed.error() == Errno::kEOPNOTSUPP) return size_t{0};
    return listed;
  };
  if (credentials.Has(Capability::kSysAdmin)) return none_if_unsupported(vnode.ListXattr(names));
  // Through a buffer of our own, without the names that are hidden.
  Vector<char> all;
  size_t size = TRY(none_if_unsupported(vnode.ListXattr({})));
  TRY(all.Resize(size));
  if (size > 0) size = TRY(none_if_unsupported(vnode.ListXattr(all)));
  size_t shown = 0;
  for (size_t at = 0; at < size;) {
    const std::string_view rest(all.data() + at, size - at);
    const size_t end = rest.find('\0');
    if (end == std::string_view::npos) break;
    at += end + 1;
    if (rest.starts_with("trusted.")) continue;
    if (!names.empty()) {
      if (shown + end + 1 > names.size()) return Errno::kERANGE;
      __builtin_memcpy(names.data() + shown, rest.data(), end + 1);
    }
    shown += end + 1;
  }
  return shown;
}

}  // namespace zrun::vfs
