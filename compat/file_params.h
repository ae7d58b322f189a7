#pragma once
#include <cstdint>

#include "base/flags.h"
#include "vfs/types.h"

// The bits and choices that file calls take, as types: a line of syscalls.def names one, the
// handler tests its enumerators, and --strace prints them by name (compat/strace_names.cc). Values
// are those of <linux/*.h>, shared by all architectures.
namespace zrun::compat {

using vfs::OpenFlags;

enum class FileMode : uint32_t {};      // shown in octal
enum class DeviceNumber : uint32_t {};  // as makedev() for the old 32-bit interfaces
enum class UserId : uint32_t {};        // -1: keep

enum class AtFlags : uint32_t {
  kNone = 0,
  kSymlinkNoFollow = 0x100,
  kRemoveDirectory = 0x200,
  kEffectiveIds = 0x200,
  kSymlinkFollow = 0x400,
  kNoAutomount = 0x800,
  kEmptyPath = 0x1000,
  kStatxForceSync = 0x2000,
  kStatxDontSync = 0x4000,
  kRecursive = 0x8000,
};
enum class AccessMask : uint32_t {
  kExists = 0,
  kExecute = 1,
  kWrite = 2,
  kRead = 4,
};
enum class Whence : uint32_t { kSet = 0, kCurrent = 1, kEnd = 2, kData = 3, kHole = 4 };
enum class FcntlCommand : uint32_t {
  kDupFd = 0,
  kGetFd = 1,
  kSetFd = 2,
  kGetFlags = 3,
  kSetFlags = 4,
  kGetLock = 5,
  kSetLock = 6,
  kSetLockWait = 7,
  kSetOwner = 8,
  kGetOwner = 9,
  kSetSignal = 10,
  kGetSignal = 11,
  kSetOwnerEx = 15,
  kGetOwnerEx = 16,
  kGetOwnerUids = 17,
  kOfdGetLock = 36,
  kOfdSetLock = 37,
  kOfdSetLockWait = 38,
  kSetLease = 1024,
  kGetLease = 1025,
  kNotify = 1026,
  kDupFdQuery = 1027,
  kCreatedQuery = 1028,
  kCancelLock = 1029,
  kDupFdCloseOnExec = 1030,
  kSetPipeSize = 1031,
  kGetPipeSize = 1032,
  kAddSeals = 1033,
  kGetSeals = 1034,
  kGetRwHint = 1035,
  kSetRwHint = 1036,
  kGetFileRwHint = 1037,
  kSetFileRwHint = 1038,
};
enum class IoctlRequest : uint32_t {
  kGetBlockSize = 2,
  kSetNonBlockingHint = 0x5421,  // FIONBIO
  kBytesReadable = 0x541b,       // FIONREAD
  kNoCloseOnExec = 0x5450,
  kCloseOnExec = 0x5451,
  kAsync = 0x5452,
  kFileSize = 0x5460,
};
enum class LockOperation : uint32_t { kShared = 1, kExclusive = 2, kNonBlocking = 4, kUnlock = 8 };
enum class RenameFlags : uint32_t { kNoReplace = 1, kExchange = 2, kWhiteout = 4 };
enum class FallocateMode : uint32_t {
  kKeepSize = 1,
  kPunchHole = 2,
  kCollapseRange = 8,
  kZeroRange = 16,
  kInsertRange = 32,
  kUnshareRange = 64,
};
enum class RwFlags : uint32_t {
  kHighPriority = 1,
  kDataSync = 2,
  kSync = 4,
  kNoWait = 8,
  kAppend = 16,
  kNoAppend = 32,
};
enum class CloseRangeFlags : uint32_t { kUnshare = 2, kCloseOnExec = 4 };
enum class StatxMask : uint32_t {
  kBasic = 0x7ff,
  kBirthTime = 0x800,
  kMountId = 0x1000,
  kUniqueMountId = 0x4000,
  kDirectIoAlign = 0x2000,
};
enum class SpliceFlags : uint32_t { kMove = 1, kNonBlock = 2, kMore = 4, kGift = 8 };
enum class XattrFlags : uint32_t { kCreate = 1, kReplace = 2 };
enum class FileAdvice : uint32_t {
  kNormal = 0,
  kRandom = 1,
  kSequential = 2,
  kWillNeed = 3,
  kDontNeed = 4,
  kNoReuse = 5,
};
enum class EventFdFlags : uint32_t {
  kSemaphore = 1,
  kNonBlock = 04000,
  kCloseOnExec = 02000000,
};
enum class TimerFdFlags : uint32_t { kNonBlock = 04000, kCloseOnExec = 02000000 };
enum class TimerSetFlags : uint32_t { kAbsolute = 1, kCancelOnSet = 2 };
enum class EpollFlags : uint32_t { kCloseOnExec = 02000000 };
enum class EpollOperation : uint32_t { kAdd = 1, kDelete = 2, kModify = 3 };
enum class MemfdFlags : uint32_t {
  kCloseOnExec = 1,
  kAllowSealing = 2,
  kHugeTlb = 4,
  kNoExecSeal = 8,
  kExec = 16,
};
enum class InotifyFlags : uint32_t { kNonBlock = 04000, kCloseOnExec = 02000000 };
enum class MountBits : uint64_t {
  kReadOnly = 1,
  kNoSuid = 2,
  kNoDev = 4,
  kNoExec = 8,
  kSyncAlways = 16,
  kRemount = 32,
  kMandatoryLock = 64,
  kDirSync = 128,
  kNoSymFollow = 256,
  kNoAtime = 1024,
  kNoDirAtime = 2048,
  kBind = 4096,
  kMove = 8192,
  kRecursive = 16384,
  kSilent = 32768,
  kPosixAcl = 1 << 16,
  kUnbindable = 1 << 17,
  kPrivate = 1 << 18,
  kSlave = 1 << 19,
  kShared = 1 << 20,
  kRelAtime = 1 << 21,
  kStrictAtime = 1 << 24,
  kLazyTime = 1 << 25,
};
enum class UmountFlags : uint32_t { kForce = 1, kDetach = 2, kExpire = 4, kNoFollow = 8 };
enum class SocketDomain : uint32_t { kUnix = 1, kInet = 2, kInet6 = 10, kNetlink = 16 };
enum class SocketType : uint32_t {
  kStream = 1,
  kDatagram = 2,
  kRaw = 3,
  kSeqPacket = 5,
  kNonBlock = 04000,
  kCloseOnExec = 02000000,
};
enum class MessageFlags : uint32_t {
  kOutOfBand = 1,
  kPeek = 2,
  kDontRoute = 4,
  kControlTruncated = 8,
  kTruncated = 0x20,
  kDontWait = 0x40,
  kEndOfRecord = 0x80,
  kWaitAll = 0x100,
  kNoSignal = 0x4000,
  kMore = 0x8000,
  kWaitForOne = 0x10000,
  kCmsgCloseOnExec = 0x40000000,
};
enum class ShutdownHow : uint32_t { kRead = 0, kWrite = 1, kBoth = 2 };

}  // namespace zrun::compat

template <>
inline constexpr bool zrun::kIsFlags<zrun::compat::AtFlags> = true;
template <>
inline constexpr bool zrun::kIsFlags<zrun::compat::AccessMask> = true;
template <>
inline constexpr bool zrun::kIsFlags<zrun::compat::LockOperation> = true;
template <>
inline constexpr bool zrun::kIsFlags<zrun::compat::RenameFlags> = true;
template <>
inline constexpr bool zrun::kIsFlags<zrun::compat::FallocateMode> = true;
template <>
inline constexpr bool zrun::kIsFlags<zrun::compat::RwFlags> = true;
template <>
inline constexpr bool zrun::kIsFlags<zrun::compat::CloseRangeFlags> = true;
template <>
inline constexpr bool zrun::kIsFlags<zrun::compat::StatxMask> = true;
template <>
inline constexpr bool zrun::kIsFlags<zrun::compat::SpliceFlags> = true;
template <>
inline constexpr bool zrun::kIsFlags<zrun::compat::XattrFlags> = true;
template <>
inline constexpr bool zrun::kIsFlags<zrun::compat::EventFdFlags> = true;
template <>
inline constexpr bool zrun::kIsFlags<zrun::compat::TimerFdFlags> = true;
template <>
inline constexpr bool zrun::kIsFlags<zrun::compat::TimerSetFlags> = true;
template <>
inline constexpr bool zrun::kIsFlags<zrun::compat::EpollFlags> = true;
template <>
inline constexpr bool zrun::kIsFlags<zrun::compat::MemfdFlags> = true;
template <>
inline constexpr bool zrun::kIsFlags<zrun::compat::InotifyFlags> = true;
template <>
inline constexpr bool zrun::kIsFlags<zrun::compat::MountBits> = true;
template <>
inline constexpr bool zrun::kIsFlags<zrun::compat::UmountFlags> = true;
template <>
inline constexpr bool zrun::kIsFlags<zrun::compat::SocketType> = true;
template <>
inline constexpr bool zrun::kIsFlags<zrun::compat::MessageFlags> = true;

namespace zrun::compat {

// Whether |value| has only bits of |known|: most calls answer EINVAL otherwise.
template <Flags E>
constexpr bool HasOnly(E value, E known) {
  return (value & ~known) == E{};
}

}  // namespace zrun::compat
