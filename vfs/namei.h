#pragma once
#include "vfs/file_description.h"
#include "vfs/path.h"

// The only path resolution (path_resolution(7)), and the operations on names built on it, with all
// permission checks. Everything takes a WalkContext: who asks, and from where.
namespace zrun::vfs {

class LeaseWait;  // vfs/leases.h

struct WalkContext {
  const Credentials& credentials;
  MountNamespace& mounts;
  Path root;  // chroot
  Path base;  // what a relative path starts from: cwd, or the directory of an *at call
};

enum class WalkFlags : uint32_t {
  kNone = 0,
  kNoFollow = 1 << 0,    // the last component may be a symbolic link (AT_SYMLINK_NOFOLLOW)
  kDirectory = 1 << 1,   // ENOTDIR if it is none
  kEmptyPath = 1 << 2,   // "" names the base itself (AT_EMPTY_PATH)
  kNoSymlinks = 1 << 3,  // openat2's RESOLVE_NO_SYMLINKS: ELOOP
  kNoMagicLinks = 1 << 4,
  kBeneath = 1 << 5,  // RESOLVE_BENEATH: EXDEV
  kInRoot = 1 << 6,   // RESOLVE_IN_ROOT
  kNoXdev = 1 << 7,   // RESOLVE_NO_XDEV
};

// ELOOP after 40 links, ENAMETOOLONG, ENOENT, ENOTDIR, EACCES without search permission.
Result<Path> Walk(const WalkContext& context, std::string_view path, WalkFlags flags);
// The parent directory and the last component, for calls that make or remove a name. |name| points
// into |path|.
struct ParentAndName {
  Path parent;
  std::string_view name;        // may be "." or ".."; never empty
  bool trailing_slash = false;  // the caller wants a directory
};
Result<ParentAndName> WalkParent(const WalkContext& context, std::string_view path, WalkFlags flags,
                                 String& storage);

struct OpenHow {
  OpenFlags flags;
  uint32_t mode = 0;  // permission bits, umask already applied
  WalkFlags resolve = WalkFlags::kNone;
};
// EAGAIN while the file is another's by a lease (fcntl(F_SETLEASE)): |wait| is what to wait for
// then, before trying again, unless it was O_NONBLOCK.
Result<RefPtr<FileDescription>> Open(const WalkContext& context, std::string_view path,
                                     const OpenHow& how, RefPtr<LeaseWait>* wait = nullptr);

Result<void> MakeNode(const WalkContext& context, std::string_view path, uint32_t mode,
                      uint64_t rdev);  // not directories
Result<void> MakeDirectory(const WalkContext& context, std::string_view path, uint32_t mode);
Result<void> MakeSymlink(const WalkContext& context, std::string_view target,
                         std::string_view path);
Result<void> MakeLink(const WalkContext& from, std::string_view old_path, const WalkContext& to,
                      std::string_view new_path, WalkFlags flags);
Result<void> Unlink(const WalkContext& context, std::string_view path);
Result<void> RemoveDirectory(const WalkContext& context, std::string_view path);
Result<void> Rename(const WalkContext& from, std::string_view old_path, const WalkContext& to,
                    std::string_view new_path, uint32_t flags);

// |mask|: MAY_READ 4, MAY_WRITE 2, MAY_EXEC 1; checks mode bits, capabilities and read-only mounts
// (EROFS for write).
Result<void> CheckAccess(const Credentials& credentials, const Path& path, uint32_t mask);
// chmod, chown, utimensat: with the checks and side effects of inode_change_ok(9) (clearing set-id
// bits, ...).
Result<void> ChangeMode(const Credentials& credentials, const Path& path, uint32_t mode);
Result<void> ChangeOwner(const Credentials& credentials, const Path& path, uint32_t uid,
                         uint32_t gid);  // ~0: keep
struct TimeChange {
  enum class Kind : uint8_t { kOmit, kNow, kSet } kind = Kind::kNow;
  hal::Nanoseconds value = 0;
};
Result<void> ChangeTimes(const Credentials& credentials, const Path& path, TimeChange atime,
                         TimeChange mtime);
// |wait| as Open() has it.
Result<void> TruncatePath(const Credentials& credentials, const Path& path, uint64_t size,
                          RefPtr<LeaseWait>& wait);
// stat(2): attributes with the device filled in.
Result<Attributes> Stat(const Path& path);
// xattr(7), with the permissions of each namespace: EPERM, EACCES, ENODATA, EOPNOTSUPP, ERANGE.
Result<size_t> GetXattr(const Credentials& credentials, const Path& path, std::string_view name,
                        std::span<std::byte> value);
Result<void> SetXattr(const Credentials& credentials, const Path& path, std::string_view name,
                      std::span<const std::byte> value, uint32_t flags);
Result<void> RemoveXattr(const Credentials& credentials, const Path& path, std::string_view name);
// Without the trusted ones for those who may not see them.
Result<size_t> ListXattr(const Credentials& credentials, const Path& path, std::span<char> names);
// The absolute name as seen from |root| (getcwd, /proc/self/fd/N), " (deleted)" appended. What lies
// outside of |root| is "(unreachable)/...", or has the full path, or "" for a name.
enum class IfUnreachable : uint8_t { kMark, kFullPath, kNoName };
Result<String> NameOf(const Path& path, const Path& root, MountNamespace& mounts,
                      IfUnreachable if_unreachable = IfUnreachable::kMark);

}  // namespace zrun::vfs
template <>
inline constexpr bool zrun::kIsFlags<zrun::vfs::WalkFlags> = true;
