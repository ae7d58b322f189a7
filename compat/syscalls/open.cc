// Opening and closing files.
#include "compat/blocking.h"
#include "compat/path_argument.h"
#include "compat/syscall_table.h"

namespace zrun::compat {
namespace {

using vfs::WalkFlags;

constexpr uint64_t kResolveNoXdev = 1, kResolveNoMagicLinks = 2, kResolveNoSymlinks = 4,
                   kResolveBeneath = 8, kResolveInRoot = 16, kResolveCached = 32;
constexpr uint64_t kResolveAll = 63;
constexpr uint64_t kOpenHowSize = sizeof(abi::OpenHow);

constexpr OpenFlags kTmpFileBit = OpenFlags(020000000);  // O_TMPFILE without O_DIRECTORY
constexpr OpenFlags kKnownFlags =
    OpenFlags::kAccessMode | OpenFlags::kCreate | OpenFlags::kExclusive |
    OpenFlags::kNoControllingTty | OpenFlags::kTruncate | OpenFlags::kAppend |
    OpenFlags::kNonBlock | OpenFlags::kSync | OpenFlags::kAsync | OpenFlags::kDirect |
    OpenFlags::kLargeFile | OpenFlags::kDirectory | OpenFlags::kNoFollow | OpenFlags::kNoAtime |
    OpenFlags::kCloseOnExec | OpenFlags::kPath | kTmpFileBit;
constexpr OpenFlags kPathFlags =
    OpenFlags::kDirectory | OpenFlags::kNoFollow | OpenFlags::kPath | OpenFlags::kCloseOnExec;

// What open(2) makes of its flags: O_PATH forgets most others, O_TMPFILE needs write access.
// |flags| has known bits only.
Result<OpenFlags> CheckFlags(OpenFlags flags) {
  if (HasAny(flags, kTmpFileBit)) {
    if (!HasAny(flags, OpenFlags::kDirectory) || HasAny(flags, OpenFlags::kCreate))
      return Errno::kEINVAL;
    if (!HasAny(flags, OpenFlags::kAccessMode)) return Errno::kEINVAL;
  } else if (HasAll(flags, OpenFlags::kDirectory | OpenFlags::kCreate)) {
    return Errno::kEINVAL;  // since Linux 6.4
  }
  if (HasAny(flags, OpenFlags::kPath)) return flags & kPathFlags;
  return flags | OpenFlags::kLargeFile;
}

bool TakesMode(OpenFlags flags) { return HasAny(flags, OpenFlags::kCreate | kTmpFileBit); }

SyscallResult OpenFile(Task& task, Fd directory, UserCString path, vfs::OpenHow how) {
  const bool confined = HasAny(how.resolve, WalkFlags::kBeneath | WalkFlags::kInRoot);
  const auto argument = TRY(confined ? ReadConfinedPath(task, directory, path)
                                     : ReadPathArgument(task, directory, path));
  auto reserved = TRY(ReservedFd::Create(task));
  how.mode = TakesMode(how.flags) ? how.mode & ~task.fs().umask() : 0;
  // That belongs to the descriptor, not to the file.
  const bool close_on_exec = HasAny(how.flags, OpenFlags::kCloseOnExec);
  how.flags &= ~OpenFlags::kCloseOnExec;
  const auto file = TRY(RetryAfterLeases(task, [&](RefPtr<vfs::LeaseWait>& wait) {
    return vfs::Open(argument.context(), argument.text, how, &wait);
  }));
  // A FIFO waits here for its other side; the handle keeps it open beyond the wait.
  const Handle keeps_open(file, Rights::kNone);
  TRY(RetryUntilReady(task, *file, Signals::kUser, false, [&] { return file->FinishOpen(); }));
  return reserved.Publish(file, close_on_exec);
}

// The rest of a larger struct than ours must be zero: E2BIG asks for what we do not know.
Result<void> CheckZeroTail(Task& task, UserPtr<const std::byte> tail, uint64_t size) {
  std::array<std::byte, 128> buffer;
  for (uint64_t done = 0; done < size;) {
    const auto part = std::span(buffer).first(std::min<uint64_t>(buffer.size(), size - done));
    TRY(task.memory().ReadAll(part, tail.at(done)));
    for (std::byte byte : part)
      if (byte != std::byte{}) return Errno::kE2BIG;
    done += part.size();
  }
  return {};
}

WalkFlags ResolveFlags(uint64_t resolve) {
  auto flags = WalkFlags::kNone;
  if (resolve & kResolveNoXdev) flags |= WalkFlags::kNoXdev;
  if (resolve & kResolveNoMagicLinks) flags |= WalkFlags::kNoMagicLinks;
  if (resolve & kResolveNoSymlinks) flags |= WalkFlags::kNoSymlinks | WalkFlags::kNoMagicLinks;
  if (resolve & kResolveBeneath) flags |= WalkFlags::kBeneath;
  if (resolve & kResolveInRoot) flags |= WalkFlags::kInRoot;
  return flags;
}

}  // namespace

SyscallResult sys_openat(Task& task, Fd directory, UserCString path, OpenFlags flags,
                         FileMode mode) {
  vfs::OpenHow how{};
  how.flags = TRY(CheckFlags(flags & kKnownFlags));
  how.mode = uint32_t(mode) & 07777;
  return OpenFile(task, directory, path, how);
}

SyscallResult sys_open(Task& task, UserCString path, OpenFlags flags, FileMode mode) {
  return sys_openat(task, Fd{kAtFdCwd}, path, flags, mode);
}

SyscallResult sys_creat(Task& task, UserCString path, FileMode mode) {
  return sys_openat(task, Fd{kAtFdCwd}, path,
                    OpenFlags::kCreate | OpenFlags::kWriteOnly | OpenFlags::kTruncate, mode);
}

SyscallResult sys_openat2(Task& task, Fd directory, UserCString path,
                          UserPtr<const abi::OpenHow> how_pointer, uint64_t size) {
  if (size < kOpenHowSize) return Errno::kEINVAL;
  if (size > hal::kPageSize) return Errno::kE2BIG;
  const auto given = TRY(task.memory().Read(how_pointer));
  TRY(CheckZeroTail(task, how_pointer.as<const std::byte>(kOpenHowSize), size - kOpenHowSize));

  if (given.flags >> 32 || !HasOnly(OpenFlags(given.flags), kKnownFlags)) return Errno::kEINVAL;
  const auto flags = OpenFlags(given.flags);
  if (given.resolve & ~kResolveAll) return Errno::kEINVAL;
  if ((given.resolve & kResolveBeneath) && (given.resolve & kResolveInRoot)) return Errno::kEINVAL;
  if (TakesMode(flags) ? given.mode & ~uint64_t{07777} : given.mode) return Errno::kEINVAL;
  if (HasAny(flags, OpenFlags::kPath) && !HasOnly(flags, kPathFlags)) return Errno::kEINVAL;
  // Making or truncating a file can never be done from the cache alone.
  if ((given.resolve & kResolveCached) &&
      HasAny(flags, OpenFlags::kCreate | OpenFlags::kTruncate | kTmpFileBit))
    return Errno::kEAGAIN;
  vfs::OpenHow how{};
  how.flags = TRY(CheckFlags(flags));
  how.mode = uint32_t(given.mode);
  how.resolve = ResolveFlags(given.resolve);
  return OpenFile(task, directory, path, how);
}

SyscallResult sys_close(Task& task, Fd fd) {
  TRY(task.fds().Close(fd));
  return 0;
}

SyscallResult sys_close_range(Task& task, uint32_t first, uint32_t last, CloseRangeFlags flags) {
  using enum CloseRangeFlags;
  if (!HasOnly(flags, kUnshare | kCloseOnExec) || first > last) return Errno::kEINVAL;
  if (HasAny(flags, kUnshare) && task.fds().ref_count() > 1)
    task.ReplaceFds(TRY(task.fds().Clone()));
  TRY(task.fds().CloseRange(first, last, HasAny(flags, kCloseOnExec)));
  return 0;
}

}  // namespace zrun::compat
