// Extended attributes (xattr(7)): by path, by path without following, by descriptor.
#include "compat/path_argument.h"
#include "compat/syscall_table.h"

namespace zrun::compat {
namespace {

using vfs::WalkFlags;

constexpr size_t kNameMax = 255, kValueMax = 65536, kListMax = 65536;

Result<String> ReadName(Task& task, UserCString name) {
  auto text = task.memory().ReadString(name, kNameMax + 1);
  if (!text.ok() && text.error() == Errno::kENAMETOOLONG) return Errno::kERANGE;
  String result = TRY(std::move(text));
  if (result.empty()) return Errno::kERANGE;
  return result;
}

SyscallResult Set(Task& task, const vfs::Path& place, UserCString name,
                  UserPtr<const std::byte> value, uint64_t size, XattrFlags flags) {
  if (!HasOnly(flags, XattrFlags::kCreate | XattrFlags::kReplace)) return Errno::kEINVAL;
  const String text = TRY(ReadName(task, name));
  if (size > kValueMax) return Errno::kE2BIG;
  Vector<std::byte> bytes;
  TRY(bytes.Resize(size));
  TRY(task.memory().ReadAll(bytes, value));
  TRY(vfs::SetXattr(*task.credentials(), place, text, bytes, uint32_t(flags)));
  return 0;
}

SyscallResult Get(Task& task, const vfs::Path& place, UserCString name, UserPtr<std::byte> value,
                  uint64_t size) {
  const String text = TRY(ReadName(task, name));
  Vector<std::byte> bytes;
  TRY(bytes.Resize(std::min<uint64_t>(size, kValueMax)));
  const size_t length = TRY(vfs::GetXattr(*task.credentials(), place, text, bytes));
  if (size != 0)
    TRY(task.memory().WriteAll(value, std::span<const std::byte>(bytes.data(), length)));
  return length;
}

SyscallResult List(Task& task, const vfs::Path& place, UserPtr<char> list, uint64_t size) {
  Vector<char> names;
  TRY(names.Resize(std::min<uint64_t>(size, kListMax)));
  const size_t length = TRY(vfs::ListXattr(*task.credentials(), place, names));
  if (size != 0) TRY(task.memory().WriteArray(list, std::span<const char>(names.data(), length)));
  return length;
}

SyscallResult Remove(Task& task, const vfs::Path& place, UserCString name) {
  TRY(vfs::RemoveXattr(*task.credentials(), place, TRY(ReadName(task, name))));
  return 0;
}

Result<vfs::Path> AtPath(Task& task, UserCString path, WalkFlags flags) {
  return ResolvePath(task, Fd{kAtFdCwd}, path, flags);
}

Result<vfs::Path> AtFd(Task& task, Fd fd) { return vfs::Path(TRY(task.fds().Get(fd))->path()); }

}  // namespace

SyscallResult sys_setxattr(Task& task, UserCString path, UserCString name,
                           UserPtr<const std::byte> value, uint64_t size, XattrFlags flags) {
  return Set(task, TRY(AtPath(task, path, WalkFlags::kNone)), name, value, size, flags);
}
SyscallResult sys_lsetxattr(Task& task, UserCString path, UserCString name,
                            UserPtr<const std::byte> value, uint64_t size, XattrFlags flags) {
  return Set(task, TRY(AtPath(task, path, WalkFlags::kNoFollow)), name, value, size, flags);
}
SyscallResult sys_fsetxattr(Task& task, Fd fd, UserCString name, UserPtr<const std::byte> value,
                            uint64_t size, XattrFlags flags) {
  return Set(task, TRY(AtFd(task, fd)), name, value, size, flags);
}

SyscallResult sys_getxattr(Task& task, UserCString path, UserCString name, UserPtr<std::byte> value,
                           uint64_t size) {
  return Get(task, TRY(AtPath(task, path, WalkFlags::kNone)), name, value, size);
}
SyscallResult sys_lgetxattr(Task& task, UserCString path, UserCString name,
                            UserPtr<std::byte> value, uint64_t size) {
  return Get(task, TRY(AtPath(task, path, WalkFlags::kNoFollow)), name, value, size);
}
SyscallResult sys_fgetxattr(Task& task, Fd fd, UserCString name, UserPtr<std::byte> value,
                            uint64_t size) {
  return Get(task, TRY(AtFd(task, fd)), name, value, size);
}

SyscallResult sys_listxattr(Task& task, UserCString path, UserPtr<char> list, uint64_t size) {
  return List(task, TRY(AtPath(task, path, WalkFlags::kNone)), list, size);
}
SyscallResult sys_llistxattr(Task& task, UserCString path, UserPtr<char> list, uint64_t size) {
  return List(task, TRY(AtPath(task, path, WalkFlags::kNoFollow)), list, size);
}
SyscallResult sys_flistxattr(Task& task, Fd fd, UserPtr<char> list, uint64_t size) {
  return List(task, TRY(AtFd(task, fd)), list, size);
}

SyscallResult sys_removexattr(Task& task, UserCString path, UserCString name) {
  return Remove(task, TRY(AtPath(task, path, WalkFlags::kNone)), name);
}
SyscallResult sys_lremovexattr(Task& task, UserCString path, UserCString name) {
  return Remove(task, TRY(AtPath(task, path, WalkFlags::kNoFollow)), name);
}
SyscallResult sys_fremovexattr(Task& task, Fd fd, UserCString name) {
  return Remove(task, TRY(AtFd(task, fd)), name);
}

}  // namespace zrun::compat
