#pragma once
#include <cstdint>
#include <string_view>

#include "base/flags.h"
#include "base/ref_ptr.h"
#include "base/vector.h"
#include "hal/clock.h"

// Linux's file vocabulary, with the values of <asm-generic/fcntl.h> and <linux/stat.h>, which
// x86-64 and riscv64 share.
namespace zrun::vfs {

enum class OpenFlags : uint32_t {
  kReadOnly = 0,
  kWriteOnly = 01,
  kReadWrite = 02,
  kAccessMode = 03,
  kCreate = 0100,
  kExclusive = 0200,
  kNoControllingTty = 0400,
  kTruncate = 01000,
  kAppend = 02000,
  kNonBlock = 04000,
  kDataSync = 010000,
  kAsync = 020000,
  kDirect = 040000,
  kLargeFile = 0100000,
  kDirectory = 0200000,
  kNoFollow = 0400000,
  kNoAtime = 01000000,
  kCloseOnExec = 02000000,
  kSync = 04010000,
  kPath = 010000000,
  kTmpFile = 020200000,
};

inline constexpr uint32_t kModeTypeMask = 0170000, kModeSocket = 0140000, kModeSymlink = 0120000,
                          kModeRegular = 0100000, kModeBlock = 0060000, kModeDirectory = 0040000,
                          kModeChar = 0020000, kModeFifo = 0010000, kModeSetUid = 04000,
                          kModeSetGid = 02000, kModeSticky = 01000;

enum class VnodeType : uint8_t {  // the values of DT_* in linux_dirent64
  kFifo = 1,
  kCharDevice = 2,
  kDirectory = 4,
  kBlockDevice = 6,
  kRegular = 8,
  kSymlink = 10,
  kSocket = 12,
};
constexpr VnodeType TypeOfMode(uint32_t mode) { return VnodeType((mode & kModeTypeMask) >> 12); }
constexpr uint32_t ModeOfType(VnodeType type) { return uint32_t(type) << 12; }

constexpr uint64_t MakeDevice(uint32_t major, uint32_t minor) {
  return (minor & 0xff) | ((uint64_t{major} & 0xfff) << 8) | ((uint64_t{minor} & ~0xffull) << 12) |
         ((uint64_t{major} & ~0xfffull) << 32);
}
constexpr uint32_t DeviceMajor(uint64_t device) {
  return uint32_t(((device >> 8) & 0xfff) | ((device >> 32) & ~0xfffull));
}
constexpr uint32_t DeviceMinor(uint64_t device) {
  return uint32_t((device & 0xff) | ((device >> 12) & ~0xffull));
}
// As Linux's kernel writes it in files of /proc.
constexpr uint64_t CompactDevice(uint64_t device) {
  return uint64_t{DeviceMajor(device)} << 20 | DeviceMinor(device);
}

struct Attributes {
  uint64_t inode = 0;
  uint64_t size = 0;
  uint64_t blocks = 0;  // of 512 bytes
  uint32_t mode = 0;    // with the type
  uint32_t uid = 0, gid = 0;
  uint32_t links = 1;
  uint64_t device = 0;  // filled in by the caller: the mount's
  uint64_t rdev = 0;
  uint32_t block_size = 4096;
  hal::Nanoseconds atime = 0, mtime = 0, ctime = 0, btime = 0;  // since the epoch, real time
};
struct Ownership {
  uint32_t mode = 0;  // with the type
  uint32_t uid = 0, gid = 0;
};
// fcntl(F_ADD_SEALS), <linux/fcntl.h>.
struct InodeFlag {  // FS_*_FL of <linux/fs.h>: what chattr(1) sets
  enum : uint32_t { kImmutable = 0x10, kAppendOnly = 0x20, kNoDump = 0x40, kNoAtime = 0x80 };
};
struct FileSeal {
  enum : uint32_t { kSeal = 1, kShrink = 2, kGrow = 4, kWrite = 8, kFutureWrite = 16, kExec = 32 };
};
struct AttributeChange {  // setattr: what has its bit in |valid|
  enum : uint32_t { kMode = 1, kUid = 2, kGid = 4, kAtime = 8, kMtime = 16, kCtime = 32 };
  uint32_t valid = 0;
  uint32_t mode = 0;  // permission bits only
  uint32_t uid = 0, gid = 0;
  hal::Nanoseconds atime = 0, mtime = 0, ctime = 0;
};
struct StatFs {
  uint64_t type = 0;  // f_type, as in <linux/magic.h>
  uint64_t block_size = 4096, blocks = 0, blocks_free = 0, blocks_available = 0, files = 0,
           files_free = 0;
  uint64_t id = 0, name_max = 255, flags = 0;
};

// Linux capabilities, <linux/capability.h>.
enum class Capability : uint8_t {
  kChown = 0,
  kDacOverride = 1,
  kDacReadSearch = 2,
  kFowner = 3,
  kFsetid = 4,
  kKill = 5,
  kSetGid = 6,
  kSetUid = 7,
  kSetPcap = 8,
  kLinuxImmutable = 9,
  kNetBindService = 10,
  kNetAdmin = 12,
  kIpcLock = 14,
  kIpcOwner = 15,
  kSysChroot = 18,
  kSysPtrace = 19,
  kSysAdmin = 21,
  kSysBoot = 22,
  kSysNice = 23,
  kSysResource = 24,
  kSysTime = 25,
  kSysTtyConfig = 26,
  kMknod = 27,
  kLease = 28,
  kAuditControl = 30,
  kSetFcap = 31,
};

// Who asks (Linux: struct cred). Immutable once published: a change makes a new one.
struct Credentials : RefCounted<Credentials> {
  uint32_t uid = 0, euid = 0, suid = 0, fsuid = 0;
  uint32_t gid = 0, egid = 0, sgid = 0, fsgid = 0;
  Vector<uint32_t> groups;
  uint64_t cap_effective = 0, cap_permitted = 0, cap_inheritable = 0, cap_bounding = 0,
           cap_ambient = 0;
  uint32_t securebits = 0;

  bool Has(Capability capability) const { return cap_effective >> unsigned(capability) & 1; }
  bool InGroup(uint32_t group) const {
    if (group == fsgid) return true;
    for (uint32_t member : groups)
      if (member == group) return true;
    return false;
  }
  // A copy to change and publish.
  Result<RefPtr<Credentials>> Clone() const {
    auto copy = TRY(MakeRef<Credentials>());
    copy->uid = uid, copy->euid = euid, copy->suid = suid, copy->fsuid = fsuid;
    copy->gid = gid, copy->egid = egid, copy->sgid = sgid, copy->fsgid = fsgid;
    TRY(copy->groups.Append(groups));
    copy->cap_effective = cap_effective, copy->cap_permitted = cap_permitted;
    copy->cap_inheritable = cap_inheritable, copy->cap_bounding = cap_bounding;
    copy->cap_ambient = cap_ambient, copy->securebits = securebits;
    return copy;
  }
};

// Receives directory entries; false: full, the entry was not taken.
class DirentSink {
 public:
  virtual bool Add(uint64_t inode, VnodeType type, std::string_view name, uint64_t next_cursor) = 0;

 protected:
  ~DirentSink() = default;
};

}  // namespace zrun::vfs
template <>
inline constexpr bool zrun::kIsFlags<zrun::vfs::OpenFlags> = true;
