#include "compat/path_argument.h"
#include "compat/syscall_table.h"

namespace zrun::compat {
namespace {

constexpr uint64_t kStatFsValid = 0x20, kStatFsRelAtime = 0x1000;  // ST_VALID, ST_RELATIME

// A mount's flags as f_flags has them (<linux/statfs.h>): the low bits are those of MS_*.
uint64_t FlagsOf(const vfs::Mount& mount) {
  const auto flags = mount.flags();
  uint64_t result = uint64_t(flags) & 0x40f;
  if (HasAny(flags, vfs::MountFlags::kNoDirAtime)) result |= 0x800;
  if (HasAny(flags, vfs::MountFlags::kRelAtime)) result |= kStatFsRelAtime;
  return result;
}

SyscallResult WriteStatFs(Task& task, const vfs::Path& place, UserPtr<abi::Statfs> buffer) {
  const auto vnode = place.vnode();
  if (!vnode) return Errno::kENOENT;
  const vfs::StatFs from = TRY(vnode->file_system().GetStatFs());
  abi::Statfs to{};
  to.type = int64_t(from.type);
  to.block_size = int64_t(from.block_size);
  to.blocks = from.blocks;
  to.blocks_free = from.blocks_free;
  to.blocks_available = from.blocks_available;
  to.files = from.files;
  to.files_free = from.files_free;
  to.id[0] = int32_t(from.id);
  to.id[1] = int32_t(from.id >> 32);
  to.name_max = int64_t(from.name_max);
  to.fragment_size = int64_t(from.block_size);
  to.flags = int64_t(from.flags | kStatFsValid | (place.mount ? FlagsOf(*place.mount) : 0));
  TRY(task.memory().Write(buffer, to));
  return 0;
}

}  // namespace

SyscallResult sys_statfs(Task& task, UserCString path, UserPtr<abi::Statfs> buffer) {
  const auto place = TRY(ResolvePath(task, Fd{kAtFdCwd}, path, vfs::WalkFlags::kNone));
  return WriteStatFs(task, place, buffer);
}

SyscallResult sys_fstatfs(Task& task, Fd fd, UserPtr<abi::Statfs> buffer) {
  return WriteStatFs(task, TRY(task.fds().Get(fd, Rights::kNone, true))->path(), buffer);
}

}  // namespace zrun::compat
