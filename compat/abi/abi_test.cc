#include <asm/statfs.h>
#include <gtest/gtest.h>
#include <linux/eventpoll.h>
#include <linux/openat2.h>
#include <linux/time_types.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <utime.h>

#include <cstddef>

#include "compat/abi/file.h"
#include "compat/abi/signal.h"
#include "compat/abi/socket.h"
#include "compat/abi/types.h"

// The layout of our structures against the system's own.
namespace zrun::compat::abi {
namespace {

#define SAME_SIZE(ours, theirs) static_assert(sizeof(ours) == sizeof(theirs))
#define SAME_FIELD(ours, field, theirs, their_field)                      \
  static_assert(offsetof(ours, field) == offsetof(theirs, their_field) && \
                sizeof(ours::field) == sizeof(theirs::their_field))

SAME_SIZE(Timespec, __kernel_timespec);
SAME_FIELD(Timespec, nanoseconds, __kernel_timespec, tv_nsec);
SAME_SIZE(Itimerspec, __kernel_itimerspec);
SAME_FIELD(Itimerspec, value, __kernel_itimerspec, it_value);
SAME_SIZE(Iovec, ::iovec);
SAME_FIELD(Iovec, length, ::iovec, iov_len);

using NativeStat = struct ::stat;
SAME_SIZE(Stat, NativeStat);
SAME_FIELD(Stat, device, NativeStat, st_dev);
SAME_FIELD(Stat, inode, NativeStat, st_ino);
SAME_FIELD(Stat, links, NativeStat, st_nlink);
SAME_FIELD(Stat, mode, NativeStat, st_mode);
SAME_FIELD(Stat, uid, NativeStat, st_uid);
SAME_FIELD(Stat, gid, NativeStat, st_gid);
SAME_FIELD(Stat, rdev, NativeStat, st_rdev);
SAME_FIELD(Stat, size, NativeStat, st_size);
SAME_FIELD(Stat, block_size, NativeStat, st_blksize);
SAME_FIELD(Stat, blocks, NativeStat, st_blocks);
SAME_FIELD(Stat, atime, NativeStat, st_atim.tv_sec);
SAME_FIELD(Stat, atime_nanoseconds, NativeStat, st_atim.tv_nsec);
SAME_FIELD(Stat, mtime, NativeStat, st_mtim.tv_sec);
SAME_FIELD(Stat, mtime_nanoseconds, NativeStat, st_mtim.tv_nsec);
SAME_FIELD(Stat, ctime, NativeStat, st_ctim.tv_sec);
SAME_FIELD(Stat, ctime_nanoseconds, NativeStat, st_ctim.tv_nsec);

using NativeStatx = struct ::statx;
SAME_SIZE(Statx, NativeStatx);
SAME_FIELD(Statx, attributes, NativeStatx, stx_attributes);
SAME_FIELD(Statx, links, NativeStatx, stx_nlink);
SAME_FIELD(Statx, mode, NativeStatx, stx_mode);
SAME_FIELD(Statx, inode, NativeStatx, stx_ino);
SAME_FIELD(Statx, size, NativeStatx, stx_size);
SAME_FIELD(Statx, blocks, NativeStatx, stx_blocks);
SAME_FIELD(Statx, attributes_mask, NativeStatx, stx_attributes_mask);
SAME_FIELD(Statx, atime, NativeStatx, stx_atime);
SAME_FIELD(Statx, btime, NativeStatx, stx_btime);
SAME_FIELD(Statx, ctime, NativeStatx, stx_ctime);
SAME_FIELD(Statx, mtime, NativeStatx, stx_mtime);
SAME_FIELD(Statx, rdev_major, NativeStatx, stx_rdev_major);
SAME_FIELD(Statx, device_major, NativeStatx, stx_dev_major);
SAME_FIELD(Statx, device_minor, NativeStatx, stx_dev_minor);
SAME_FIELD(Statx, mount_id, NativeStatx, stx_mnt_id);

using NativeStatfs = struct ::statfs;
SAME_SIZE(Statfs, NativeStatfs);
SAME_FIELD(Statfs, blocks, NativeStatfs, f_blocks);
SAME_FIELD(Statfs, files_free, NativeStatfs, f_ffree);
SAME_FIELD(Statfs, id, NativeStatfs, f_fsid);
SAME_FIELD(Statfs, name_max, NativeStatfs, f_namelen);
SAME_FIELD(Statfs, fragment_size, NativeStatfs, f_frsize);
SAME_FIELD(Statfs, flags, NativeStatfs, f_flags);

SAME_SIZE(OpenHow, ::open_how);
SAME_FIELD(OpenHow, resolve, ::open_how, resolve);
SAME_SIZE(Pollfd, ::pollfd);
SAME_FIELD(Pollfd, returned, ::pollfd, revents);
using NativeEpollEvent = struct ::epoll_event;
SAME_SIZE(EpollEvent, NativeEpollEvent);
SAME_FIELD(EpollEvent, data, NativeEpollEvent, data);
SAME_SIZE(Utimbuf, ::utimbuf);

SAME_SIZE(Msghdr, ::msghdr);
SAME_FIELD(Msghdr, name_length, ::msghdr, msg_namelen);
SAME_FIELD(Msghdr, vectors, ::msghdr, msg_iov);
SAME_FIELD(Msghdr, control, ::msghdr, msg_control);
SAME_FIELD(Msghdr, control_length, ::msghdr, msg_controllen);
SAME_FIELD(Msghdr, flags, ::msghdr, msg_flags);
SAME_SIZE(Mmsghdr, ::mmsghdr);
SAME_FIELD(Mmsghdr, length, ::mmsghdr, msg_len);
SAME_SIZE(Cmsghdr, ::cmsghdr);
SAME_FIELD(Cmsghdr, level, ::cmsghdr, cmsg_level);
SAME_SIZE(Ucred, ::ucred);
SAME_SIZE(Linger, ::linger);

SAME_SIZE(SigInfo, siginfo_t);
SAME_SIZE(StackT, stack_t);
SAME_FIELD(StackT, flags, stack_t, ss_flags);
SAME_FIELD(StackT, size, stack_t, ss_size);

// struct flock and f_owner_ex, whose headers clash with those above: from <asm-generic/fcntl.h>.
static_assert(sizeof(Flock) == 32 && offsetof(Flock, start) == 8 && offsetof(Flock, length) == 16 &&
              offsetof(Flock, pid) == 24);
static_assert(sizeof(FOwnerEx) == 8);
// struct linux_dirent64: d_ino, d_off, d_reclen, d_type, d_name.
static_assert(kDirent64NameOffset == 8 + 8 + 2 + 1 && kDirentNameOffset == 8 + 8 + 2);

// The compiler has checked everything; the test says so in the report.
TEST(Abi, MatchesTheSystemsHeaders) { SUCCEED(); }

}  // namespace
}  // namespace zrun::compat::abi
