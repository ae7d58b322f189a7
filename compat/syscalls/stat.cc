// What a file is, and changing that: stat, chmod, chown and the times.
#include "compat/abi/file.h"
#include "compat/path_argument.h"
#include "compat/syscall_table.h"

namespace zrun::compat {
namespace {

using hal::kSecond;
using hal::Nanoseconds;

constexpr int64_t kUtimeNow = 0x3fffffff, kUtimeOmit = 0x3ffffffe;  // <linux/stat.h>
constexpr uint64_t kStatxAttrMountRoot = 0x2000;

struct SplitTime {
  int64_t seconds;
  uint32_t nanoseconds;
};
SplitTime Split(Nanoseconds time) {
  int64_t seconds = time / kSecond;
  int64_t rest = time % kSecond;
  if (rest < 0) seconds--, rest += kSecond;
  return {seconds, uint32_t(rest)};
}

// What our clocks can hold is 292 years either way; Linux likewise cuts to a file system's range.
Nanoseconds Join(int64_t seconds, int64_t nanoseconds) {
  constexpr int64_t kMost = INT64_MAX / kSecond - 1;
  return std::clamp(seconds, -kMost, kMost) * kSecond + nanoseconds;
}

SyscallResult WriteStat(Task& task, UserPtr<abi::Stat> to, const vfs::Path& path) {
  const vfs::Attributes from = TRY(vfs::Stat(path));
  abi::Stat stat{};
  stat.device = from.device;
  stat.inode = from.inode;
  stat.mode = from.mode;
  stat.links = from.links;
  stat.uid = from.uid;
  stat.gid = from.gid;
  stat.rdev = from.rdev;
  stat.size = int64_t(from.size);
  stat.block_size = from.block_size;
  stat.blocks = int64_t(from.blocks);
  stat.atime = Split(from.atime).seconds;
  stat.atime_nanoseconds = Split(from.atime).nanoseconds;
  stat.mtime = Split(from.mtime).seconds;
  stat.mtime_nanoseconds = Split(from.mtime).nanoseconds;
  stat.ctime = Split(from.ctime).seconds;
  stat.ctime_nanoseconds = Split(from.ctime).nanoseconds;
  TRY(task.memory().Write(to, stat));
  return 0;
}

abi::StatxTimestamp ToStatx(Nanoseconds time) {
  const SplitTime split = Split(time);
  return {split.seconds, split.nanoseconds, 0};
}

SyscallResult Done(Result<void> result) {
  if (!result.ok()) return result.error();
  return 0;
}

}  // namespace

SyscallResult sys_newfstatat(Task& task, Fd directory, UserCString path, UserPtr<abi::Stat> buffer,
                             AtFlags flags) {
  using enum AtFlags;
  if (!HasOnly(flags,
               kSymlinkNoFollow | kNoAutomount | kEmptyPath | kStatxForceSync | kStatxDontSync))
    return Errno::kEINVAL;
  // Since Linux 6.11 a null path does for an empty one.
  if (HasAny(flags, kEmptyPath) && path.address == 0 && directory.value >= 0)
    return sys_fstat(task, directory, buffer);
  return WriteStat(task, buffer, TRY(ResolvePath(task, directory, path, WalkFlagsOf(flags))));
}

SyscallResult sys_fstat(Task& task, Fd fd, UserPtr<abi::Stat> buffer) {
  return WriteStat(task, buffer, TRY(task.fds().Get(fd, Rights::kNone, true))->path());
}

SyscallResult sys_stat(Task& task, UserCString path, UserPtr<abi::Stat> buffer) {
  return sys_newfstatat(task, Fd{kAtFdCwd}, path, buffer, AtFlags::kNone);
}

SyscallResult sys_lstat(Task& task, UserCString path, UserPtr<abi::Stat> buffer) {
  return sys_newfstatat(task, Fd{kAtFdCwd}, path, buffer, AtFlags::kSymlinkNoFollow);
}

SyscallResult sys_statx(Task& task, Fd directory, UserCString path, AtFlags flags, StatxMask mask,
                        UserPtr<abi::Statx> buffer) {
  using enum AtFlags;
  if (!HasOnly(flags,
               kSymlinkNoFollow | kNoAutomount | kEmptyPath | kStatxForceSync | kStatxDontSync))
    return Errno::kEINVAL;
  if (HasAll(flags, kStatxForceSync | kStatxDontSync)) return Errno::kEINVAL;
  if (uint32_t(mask) >> 31) return Errno::kEINVAL;  // STATX__RESERVED
  const bool by_descriptor = HasAny(flags, kEmptyPath) && path.address == 0 && directory.value >= 0;
  const vfs::Path place = by_descriptor
                              ? TRY(task.fds().Get(directory, Rights::kNone, true))->path()
                              : TRY(ResolvePath(task, directory, path, WalkFlagsOf(flags)));
  const vfs::Attributes from = TRY(vfs::Stat(place));
  abi::Statx to{};
  to.mask = uint32_t(StatxMask::kBasic);
  to.block_size = from.block_size;
  to.links = from.links;
  to.uid = from.uid;
  to.gid = from.gid;
  to.mode = uint16_t(from.mode);
  to.inode = from.inode;
  to.size = from.size;
  to.blocks = from.blocks;
  to.atime = ToStatx(from.atime);
  to.ctime = ToStatx(from.ctime);
  to.mtime = ToStatx(from.mtime);
  if (from.btime != 0) {
    to.mask |= uint32_t(StatxMask::kBirthTime);
    to.btime = ToStatx(from.btime);
  }
  to.rdev_major = vfs::DeviceMajor(from.rdev);
  to.rdev_minor = vfs::DeviceMinor(from.rdev);
  to.device_major = vfs::DeviceMajor(from.device);
  to.device_minor = vfs::DeviceMinor(from.device);
  to.attributes_mask = kStatxAttrMountRoot;
  if (place.mount) {
    const bool unique = HasAny(mask, StatxMask::kUniqueMountId);
    to.mask |= uint32_t(unique ? StatxMask::kUniqueMountId : StatxMask::kMountId);
    to.mount_id = unique ? place.mount->unique_id() : uint64_t(place.mount->id());
    if (place.mount->root() == place.dentry) to.attributes |= kStatxAttrMountRoot;
  }
  TRY(task.memory().Write(buffer, to));
  return 0;
}

// ---- Permission bits.

SyscallResult sys_fchmodat2(Task& task, Fd directory, UserCString path, FileMode mode,
                            AtFlags flags) {
  if (!HasOnly(flags, AtFlags::kSymlinkNoFollow | AtFlags::kEmptyPath)) return Errno::kEINVAL;
  const auto place = TRY(ResolvePath(task, directory, path, WalkFlagsOf(flags)));
  return Done(vfs::ChangeMode(*task.credentials(), place, uint32_t(mode) & 07777));
}

SyscallResult sys_fchmodat(Task& task, Fd directory, UserCString path, FileMode mode) {
  return sys_fchmodat2(task, directory, path, mode, AtFlags::kNone);
}

SyscallResult sys_chmod(Task& task, UserCString path, FileMode mode) {
  return sys_fchmodat2(task, Fd{kAtFdCwd}, path, mode, AtFlags::kNone);
}

SyscallResult sys_fchmod(Task& task, Fd fd, FileMode mode) {
  const auto file = TRY(task.fds().Get(fd));
  return Done(vfs::ChangeMode(*task.credentials(), file->path(), uint32_t(mode) & 07777));
}

// ---- Owners.

SyscallResult sys_fchownat(Task& task, Fd directory, UserCString path, UserId user, UserId group,
                           AtFlags flags) {
  if (!HasOnly(flags, AtFlags::kSymlinkNoFollow | AtFlags::kEmptyPath)) return Errno::kEINVAL;
  const auto place = TRY(ResolvePath(task, directory, path, WalkFlagsOf(flags)));
  return Done(vfs::ChangeOwner(*task.credentials(), place, uint32_t(user), uint32_t(group)));
}

SyscallResult sys_chown(Task& task, UserCString path, UserId user, UserId group) {
  return sys_fchownat(task, Fd{kAtFdCwd}, path, user, group, AtFlags::kNone);
}

SyscallResult sys_lchown(Task& task, UserCString path, UserId user, UserId group) {
  return sys_fchownat(task, Fd{kAtFdCwd}, path, user, group, AtFlags::kSymlinkNoFollow);
}

SyscallResult sys_fchown(Task& task, Fd fd, UserId user, UserId group) {
  const auto file = TRY(task.fds().Get(fd));
  return Done(vfs::ChangeOwner(*task.credentials(), file->path(), uint32_t(user), uint32_t(group)));
}

// ---- Times.
namespace {

using TimePair = std::array<vfs::TimeChange, 2>;  // access, modification

TimePair BothNow() { return {}; }

Result<vfs::TimeChange> FromTimespec(const abi::Timespec& time) {
  using Kind = vfs::TimeChange::Kind;
  if (time.nanoseconds == kUtimeNow) return vfs::TimeChange{Kind::kNow, 0};
  if (time.nanoseconds == kUtimeOmit) return vfs::TimeChange{Kind::kOmit, 0};
  if (time.nanoseconds < 0 || time.nanoseconds >= kSecond) return Errno::kEINVAL;
  return vfs::TimeChange{Kind::kSet, Join(time.seconds, time.nanoseconds)};
}

Result<TimePair> ReadTimevals(Task& task, UserPtr<const abi::Timeval> times) {
  TimePair pair = BothNow();
  if (!times) return pair;
  for (size_t i = 0; i < 2; i++) {
    const auto time = TRY(task.memory().Read(times.at(i)));
    if (time.microseconds < 0 || time.microseconds >= 1'000'000) return Errno::kEINVAL;
    pair[i] = {vfs::TimeChange::Kind::kSet, Join(time.seconds, time.microseconds * 1000)};
  }
  return pair;
}

SyscallResult SetTimes(Task& task, const vfs::Path& place, const TimePair& times) {
  return Done(vfs::ChangeTimes(*task.credentials(), place, times[0], times[1]));
}

}  // namespace

SyscallResult sys_utimensat(Task& task, Fd directory, UserCString path,
                            UserPtr<const abi::Timespec> times, AtFlags flags) {
  TimePair pair = BothNow();
  if (times) {
    for (size_t i = 0; i < 2; i++)
      pair[i] = TRY(FromTimespec(TRY(task.memory().Read(times.at(i)))));
    // Nothing to change: the file is not even looked for.
    if (pair[0].kind == vfs::TimeChange::Kind::kOmit &&
        pair[1].kind == vfs::TimeChange::Kind::kOmit)
      return 0;
  }
  if (path.address == 0 && directory.value != kAtFdCwd) {
    if (flags != AtFlags::kNone) return Errno::kEINVAL;
    return SetTimes(task, TRY(task.fds().Get(directory))->path(), pair);
  }
  if (!HasOnly(flags, AtFlags::kSymlinkNoFollow | AtFlags::kEmptyPath)) return Errno::kEINVAL;
  return SetTimes(task, TRY(ResolvePath(task, directory, path, WalkFlagsOf(flags))), pair);
}

SyscallResult sys_futimesat(Task& task, Fd directory, UserCString path,
                            UserPtr<const abi::Timeval> times) {
  const TimePair pair = TRY(ReadTimevals(task, times));
  if (path.address == 0 && directory.value != kAtFdCwd)
    return SetTimes(task, TRY(task.fds().Get(directory))->path(), pair);
  return SetTimes(task, TRY(ResolvePath(task, directory, path, vfs::WalkFlags::kNone)), pair);
}

SyscallResult sys_utimes(Task& task, UserCString path, UserPtr<const abi::Timeval> times) {
  return sys_futimesat(task, Fd{kAtFdCwd}, path, times);
}

SyscallResult sys_utime(Task& task, UserCString path, UserPtr<const abi::Utimbuf> times) {
  TimePair pair = BothNow();
  if (times) {
    const auto buffer = TRY(task.memory().Read(times));
    pair[0] = {vfs::TimeChange::Kind::kSet, Join(buffer.actime, 0)};
    pair[1] = {vfs::TimeChange::Kind::kSet, Join(buffer.modtime, 0)};
  }
  return SetTimes(task, TRY(ResolvePath(task, Fd{kAtFdCwd}, path, vfs::WalkFlags::kNone)), pair);
}

}  // namespace zrun::compat
