#include <span>

#include "compat/abi/signal.h"
#include "compat/strace_format.h"

// The names that --strace gives to bits and choices, by the type of the parameter.
namespace zrun::compat {
namespace {

struct Name {
  std::string_view text;
  uint64_t value;
};
struct TypeNames {
  std::string_view type;
  bool bits;                 // several may be set; the first that fit are shown
  std::string_view nothing;  // what zero is called, if it has a name
  std::span<const Name> names;
};

constexpr Name kOpenFlags[] = {
    {"O_TMPFILE", 0x410000}, {"O_SYNC", 0x101000},    {"O_WRONLY", 1},
    {"O_RDWR", 2},           {"O_CREAT", 0x40},       {"O_EXCL", 0x80},
    {"O_NOCTTY", 0x100},     {"O_TRUNC", 0x200},      {"O_APPEND", 0x400},
    {"O_NONBLOCK", 0x800},   {"O_DSYNC", 0x1000},     {"FASYNC", 0x2000},
    {"O_DIRECT", 0x4000},    {"O_LARGEFILE", 0x8000}, {"O_DIRECTORY", 0x10000},
    {"O_NOFOLLOW", 0x20000}, {"O_NOATIME", 0x40000},  {"O_CLOEXEC", 0x80000},
    {"O_PATH", 0x200000}};
constexpr Name kAtFlags[] = {{"AT_SYMLINK_NOFOLLOW", 0x100}, {"AT_REMOVEDIR", 0x200},
                             {"AT_SYMLINK_FOLLOW", 0x400},   {"AT_NO_AUTOMOUNT", 0x800},
                             {"AT_EMPTY_PATH", 0x1000},      {"AT_STATX_FORCE_SYNC", 0x2000},
                             {"AT_STATX_DONT_SYNC", 0x4000}, {"AT_RECURSIVE", 0x8000}};
constexpr Name kAccessMask[] = {{"R_OK", 4}, {"W_OK", 2}, {"X_OK", 1}};
constexpr Name kWhence[] = {
    {"SEEK_SET", 0}, {"SEEK_CUR", 1}, {"SEEK_END", 2}, {"SEEK_DATA", 3}, {"SEEK_HOLE", 4}};
constexpr Name kFcntlCommand[] = {{"F_DUPFD", 0},           {"F_GETFD", 1},
                                  {"F_SETFD", 2},           {"F_GETFL", 3},
                                  {"F_SETFL", 4},           {"F_GETLK", 5},
                                  {"F_SETLK", 6},           {"F_SETLKW", 7},
                                  {"F_SETOWN", 8},          {"F_GETOWN", 9},
                                  {"F_SETSIG", 0xa},        {"F_GETSIG", 0xb},
                                  {"F_SETOWN_EX", 0xf},     {"F_GETOWN_EX", 0x10},
                                  {"F_OFD_GETLK", 0x24},    {"F_OFD_SETLK", 0x25},
                                  {"F_OFD_SETLKW", 0x26},   {"F_SETLEASE", 0x400},
                                  {"F_GETLEASE", 0x401},    {"F_NOTIFY", 0x402},
                                  {"F_DUPFD_QUERY", 0x403}, {"F_DUPFD_CLOEXEC", 0x406},
                                  {"F_SETPIPE_SZ", 0x407},  {"F_GETPIPE_SZ", 0x408},
                                  {"F_ADD_SEALS", 0x409},   {"F_GET_SEALS", 0x40a}};
constexpr Name kIoctlRequest[] = {{"FIGETBSZ", 2},          {"TCGETS", 0x5401},
                                  {"TCSETS", 0x5402},       {"TCSETSW", 0x5403},
                                  {"TCSETSF", 0x5404},      {"TCSBRK", 0x5409},
                                  {"TCXONC", 0x540a},       {"TCFLSH", 0x540b},
                                  {"TIOCSCTTY", 0x540e},    {"TIOCGPGRP", 0x540f},
                                  {"TIOCSPGRP", 0x5410},    {"TIOCOUTQ", 0x5411},
                                  {"TIOCGWINSZ", 0x5413},   {"TIOCSWINSZ", 0x5414},
                                  {"FIONREAD", 0x541b},     {"FIONBIO", 0x5421},
                                  {"TIOCNOTTY", 0x5422},    {"TIOCGSID", 0x5429},
                                  {"TIOCGPTN", 0x80045430}, {"TIOCSPTLCK", 0x40045431},
                                  {"TIOCGPTPEER", 0x5441},  {"FIONCLEX", 0x5450},
                                  {"FIOCLEX", 0x5451},      {"FIOASYNC", 0x5452},
                                  {"FIOQSIZE", 0x5460},     {"SIOCGIFCONF", 0x8912},
                                  {"FICLONE", 0x40049409},  {"FS_IOC_GETFLAGS", 0x80086601}};
constexpr Name kLockOperation[] = {{"LOCK_SH", 1}, {"LOCK_EX", 2}, {"LOCK_NB", 4}, {"LOCK_UN", 8}};
constexpr Name kRenameFlags[] = {
    {"RENAME_NOREPLACE", 1}, {"RENAME_EXCHANGE", 2}, {"RENAME_WHITEOUT", 4}};
constexpr Name kFallocateMode[] = {
    {"FALLOC_FL_KEEP_SIZE", 1},       {"FALLOC_FL_PUNCH_HOLE", 2},
    {"FALLOC_FL_COLLAPSE_RANGE", 8},  {"FALLOC_FL_ZERO_RANGE", 0x10},
    {"FALLOC_FL_INSERT_RANGE", 0x20}, {"FALLOC_FL_UNSHARE_RANGE", 0x40}};
constexpr Name kRwFlags[] = {{"RWF_HIPRI", 1},  {"RWF_DSYNC", 2},     {"RWF_SYNC", 4},
                             {"RWF_NOWAIT", 8}, {"RWF_APPEND", 0x10}, {"RWF_NOAPPEND", 0x20}};
constexpr Name kCloseRangeFlags[] = {{"CLOSE_RANGE_UNSHARE", 2}, {"CLOSE_RANGE_CLOEXEC", 4}};
constexpr Name kStatxMask[] = {
    {"STATX_ALL", 0xfff},      {"STATX_BASIC_STATS", 0x7ff}, {"STATX_TYPE", 1},
    {"STATX_MODE", 2},         {"STATX_NLINK", 4},           {"STATX_UID", 8},
    {"STATX_GID", 0x10},       {"STATX_ATIME", 0x20},        {"STATX_MTIME", 0x40},
    {"STATX_CTIME", 0x80},     {"STATX_INO", 0x100},         {"STATX_SIZE", 0x200},
    {"STATX_BLOCKS", 0x400},   {"STATX_BTIME", 0x800},       {"STATX_MNT_ID", 0x1000},
    {"STATX_DIOALIGN", 0x2000}};
constexpr Name kSpliceFlags[] = {
    {"SPLICE_F_MOVE", 1}, {"SPLICE_F_NONBLOCK", 2}, {"SPLICE_F_MORE", 4}, {"SPLICE_F_GIFT", 8}};
constexpr Name kXattrFlags[] = {{"XATTR_CREATE", 1}, {"XATTR_REPLACE", 2}};
constexpr Name kFileAdvice[] = {{"POSIX_FADV_NORMAL", 0},     {"POSIX_FADV_RANDOM", 1},
                                {"POSIX_FADV_SEQUENTIAL", 2}, {"POSIX_FADV_WILLNEED", 3},
                                {"POSIX_FADV_DONTNEED", 4},   {"POSIX_FADV_NOREUSE", 5}};
constexpr Name kEventFdFlags[] = {
    {"EFD_SEMAPHORE", 1}, {"EFD_NONBLOCK", 0x800}, {"EFD_CLOEXEC", 0x80000}};
constexpr Name kTimerFdFlags[] = {{"TFD_NONBLOCK", 0x800}, {"TFD_CLOEXEC", 0x80000}};
constexpr Name kTimerSetFlags[] = {{"TFD_TIMER_ABSTIME", 1}, {"TFD_TIMER_CANCEL_ON_SET", 2}};
constexpr Name kEpollFlags[] = {{"EPOLL_CLOEXEC", 0x80000}};
constexpr Name kEpollOperation[] = {
    {"EPOLL_CTL_ADD", 1}, {"EPOLL_CTL_DEL", 2}, {"EPOLL_CTL_MOD", 3}};
constexpr Name kEpollEvents[] = {{"EPOLLIN", 1},
                                 {"EPOLLPRI", 2},
                                 {"EPOLLOUT", 4},
                                 {"EPOLLERR", 8},
                                 {"EPOLLHUP", 0x10},
                                 {"EPOLLRDNORM", 0x40},
                                 {"EPOLLRDBAND", 0x80},
                                 {"EPOLLWRNORM", 0x100},
                                 {"EPOLLWRBAND", 0x200},
                                 {"EPOLLMSG", 0x400},
                                 {"EPOLLRDHUP", 0x2000},
                                 {"EPOLLEXCLUSIVE", 0x10000000},
                                 {"EPOLLWAKEUP", 0x20000000},
                                 {"EPOLLONESHOT", 0x40000000},
                                 {"EPOLLET", 0x80000000}};
constexpr Name kPollEvents[] = {{"POLLIN", 1},         {"POLLPRI", 2},       {"POLLOUT", 4},
                                {"POLLERR", 8},        {"POLLHUP", 0x10},    {"POLLNVAL", 0x20},
                                {"POLLRDNORM", 0x40},  {"POLLRDBAND", 0x80}, {"POLLWRNORM", 0x100},
                                {"POLLWRBAND", 0x200}, {"POLLMSG", 0x400},   {"POLLRDHUP", 0x2000}};
constexpr Name kMemfdFlags[] = {{"MFD_CLOEXEC", 1},
                                {"MFD_ALLOW_SEALING", 2},
                                {"MFD_HUGETLB", 4},
                                {"MFD_NOEXEC_SEAL", 8},
                                {"MFD_EXEC", 0x10}};
constexpr Name kInotifyFlags[] = {{"IN_NONBLOCK", 0x800}, {"IN_CLOEXEC", 0x80000}};
constexpr Name kMountBits[] = {{"MS_RDONLY", 1},
                               {"MS_NOSUID", 2},
                               {"MS_NODEV", 4},
                               {"MS_NOEXEC", 8},
                               {"MS_SYNCHRONOUS", 0x10},
                               {"MS_REMOUNT", 0x20},
                               {"MS_MANDLOCK", 0x40},
                               {"MS_DIRSYNC", 0x80},
                               {"MS_NOSYMFOLLOW", 0x100},
                               {"MS_NOATIME", 0x400},
                               {"MS_NODIRATIME", 0x800},
                               {"MS_BIND", 0x1000},
                               {"MS_MOVE", 0x2000},
                               {"MS_REC", 0x4000},
                               {"MS_SILENT", 0x8000},
                               {"MS_POSIXACL", 0x10000},
                               {"MS_UNBINDABLE", 0x20000},
                               {"MS_PRIVATE", 0x40000},
                               {"MS_SLAVE", 0x80000},
                               {"MS_SHARED", 0x100000},
                               {"MS_RELATIME", 0x200000},
                               {"MS_STRICTATIME", 0x1000000},
                               {"MS_LAZYTIME", 0x2000000}};
constexpr Name kUmountFlags[] = {
    {"MNT_FORCE", 1}, {"MNT_DETACH", 2}, {"MNT_EXPIRE", 4}, {"UMOUNT_NOFOLLOW", 8}};
constexpr Name kSocketDomain[] = {{"AF_UNSPEC", 0},  {"AF_UNIX", 1},       {"AF_INET", 2},
                                  {"AF_INET6", 0xa}, {"AF_NETLINK", 0x10}, {"AF_PACKET", 0x11}};
constexpr Name kMessageFlags[] = {{"MSG_OOB", 1},
                                  {"MSG_PEEK", 2},
                                  {"MSG_DONTROUTE", 4},
                                  {"MSG_CTRUNC", 8},
                                  {"MSG_TRUNC", 0x20},
                                  {"MSG_DONTWAIT", 0x40},
                                  {"MSG_EOR", 0x80},
                                  {"MSG_WAITALL", 0x100},
                                  {"MSG_ERRQUEUE", 0x2000},
                                  {"MSG_NOSIGNAL", 0x4000},
                                  {"MSG_MORE", 0x8000},
                                  {"MSG_WAITFORONE", 0x10000},
                                  {"MSG_CMSG_CLOEXEC", 0x40000000}};
constexpr Name kShutdownHow[] = {{"SHUT_RD", 0}, {"SHUT_WR", 1}, {"SHUT_RDWR", 2}};
constexpr Name kClockId[] = {
    {"CLOCK_REALTIME", 0},          {"CLOCK_MONOTONIC", 1},     {"CLOCK_PROCESS_CPUTIME_ID", 2},
    {"CLOCK_THREAD_CPUTIME_ID", 3}, {"CLOCK_MONOTONIC_RAW", 4}, {"CLOCK_REALTIME_COARSE", 5},
    {"CLOCK_MONOTONIC_COARSE", 6},  {"CLOCK_BOOTTIME", 7},      {"CLOCK_REALTIME_ALARM", 8},
    {"CLOCK_BOOTTIME_ALARM", 9},    {"CLOCK_TAI", 0xb}};
constexpr Name kSignalNumber[] = {
    {"SIGHUP", 1},     {"SIGINT", 2},       {"SIGQUIT", 3},    {"SIGILL", 4},
    {"SIGTRAP", 5},    {"SIGABRT", 6},      {"SIGBUS", 7},     {"SIGFPE", 8},
    {"SIGKILL", 9},    {"SIGUSR1", 0xa},    {"SIGSEGV", 0xb},  {"SIGUSR2", 0xc},
    {"SIGPIPE", 0xd},  {"SIGALRM", 0xe},    {"SIGTERM", 0xf},  {"SIGSTKFLT", 0x10},
    {"SIGCHLD", 0x11}, {"SIGCONT", 0x12},   {"SIGSTOP", 0x13}, {"SIGTSTP", 0x14},
    {"SIGTTIN", 0x15}, {"SIGTTOU", 0x16},   {"SIGURG", 0x17},  {"SIGXCPU", 0x18},
    {"SIGXFSZ", 0x19}, {"SIGVTALRM", 0x1a}, {"SIGPROF", 0x1b}, {"SIGWINCH", 0x1c},
    {"SIGIO", 0x1d},   {"SIGPWR", 0x1e},    {"SIGSYS", 0x1f}};
constexpr Name kProtection[] = {{"PROT_READ", 1},
                                {"PROT_WRITE", 2},
                                {"PROT_EXEC", 4},
                                {"PROT_SEM", 8},
                                {"PROT_GROWSDOWN", 0x1000000},
                                {"PROT_GROWSUP", 0x2000000}};
constexpr Name kMapBits[] = {{"MAP_SHARED_VALIDATE", 3},
                             {"MAP_SHARED", 1},
                             {"MAP_PRIVATE", 2},
                             {"MAP_FIXED", 0x10},
                             {"MAP_ANONYMOUS", 0x20},
                             {"MAP_32BIT", 0x40},
                             {"MAP_GROWSDOWN", 0x100},
                             {"MAP_DENYWRITE", 0x800},
                             {"MAP_EXECUTABLE", 0x1000},
                             {"MAP_LOCKED", 0x2000},
                             {"MAP_NORESERVE", 0x4000},
                             {"MAP_POPULATE", 0x8000},
                             {"MAP_NONBLOCK", 0x10000},
                             {"MAP_STACK", 0x20000},
                             {"MAP_HUGETLB", 0x40000},
                             {"MAP_SYNC", 0x80000},
                             {"MAP_FIXED_NOREPLACE", 0x100000}};

constexpr Name kMaskChange[] = {{"SIG_BLOCK", 0}, {"SIG_UNBLOCK", 1}, {"SIG_SETMASK", 2}};
constexpr Name kIntervalTimer[] = {{"ITIMER_REAL", 0}, {"ITIMER_VIRTUAL", 1}, {"ITIMER_PROF", 2}};
constexpr Name kTimerFlags[] = {{"TIMER_ABSTIME", 1}};
constexpr Name kSignalFdFlags[] = {{"SFD_NONBLOCK", 0x800}, {"SFD_CLOEXEC", 0x80000}};
constexpr Name kPidFdFlags[] = {{"PIDFD_NONBLOCK", 0x800}, {"PIDFD_THREAD", 0x80}};
constexpr Name kResource[] = {
    {"RLIMIT_CPU", 0},       {"RLIMIT_FSIZE", 1}, {"RLIMIT_DATA", 2},    {"RLIMIT_STACK", 3},
    {"RLIMIT_CORE", 4},      {"RLIMIT_RSS", 5},   {"RLIMIT_NPROC", 6},   {"RLIMIT_NOFILE", 7},
    {"RLIMIT_MEMLOCK", 8},   {"RLIMIT_AS", 9},    {"RLIMIT_LOCKS", 10},  {"RLIMIT_SIGPENDING", 11},
    {"RLIMIT_MSGQUEUE", 12}, {"RLIMIT_NICE", 13}, {"RLIMIT_RTPRIO", 14}, {"RLIMIT_RTTIME", 15}};
constexpr Name kMemoryAdvice[] = {
    {"MADV_NORMAL", 0},      {"MADV_RANDOM", 1},         {"MADV_SEQUENTIAL", 2},
    {"MADV_WILLNEED", 3},    {"MADV_DONTNEED", 4},       {"MADV_FREE", 8},
    {"MADV_REMOVE", 9},      {"MADV_DONTFORK", 10},      {"MADV_DOFORK", 11},
    {"MADV_MERGEABLE", 12},  {"MADV_UNMERGEABLE", 13},   {"MADV_HUGEPAGE", 14},
    {"MADV_NOHUGEPAGE", 15}, {"MADV_DONTDUMP", 16},      {"MADV_DODUMP", 17},
    {"MADV_WIPEONFORK", 18}, {"MADV_KEEPONFORK", 19},    {"MADV_COLD", 20},
    {"MADV_PAGEOUT", 21},    {"MADV_POPULATE_READ", 22}, {"MADV_POPULATE_WRITE", 23}};
constexpr Name kWaitOptions[] = {{"WNOHANG", 1},         {"WSTOPPED", 2},
                                 {"WEXITED", 4},         {"WCONTINUED", 8},
                                 {"WNOWAIT", 0x1000000}, {"__WNOTHREAD", 0x20000000},
                                 {"__WALL", 0x40000000}, {"__WCLONE", 0x80000000}};
constexpr Name kWaitType[] = {{"P_ALL", 0}, {"P_PID", 1}, {"P_PGID", 2}, {"P_PIDFD", 3}};
constexpr Name kRemapFlags[] = {
    {"MREMAP_MAYMOVE", 1}, {"MREMAP_FIXED", 2}, {"MREMAP_DONTUNMAP", 4}};
constexpr Name kRandomFlags[] = {{"GRND_NONBLOCK", 1}, {"GRND_RANDOM", 2}, {"GRND_INSECURE", 4}};
constexpr Name kSyncFlags[] = {{"MS_ASYNC", 1}, {"MS_INVALIDATE", 2}, {"MS_SYNC", 4}};
constexpr Name kCloneBits[] = {{"CLONE_VM", 0x100},
                               {"CLONE_FS", 0x200},
                               {"CLONE_FILES", 0x400},
                               {"CLONE_SIGHAND", 0x800},
                               {"CLONE_PIDFD", 0x1000},
                               {"CLONE_PTRACE", 0x2000},
                               {"CLONE_VFORK", 0x4000},
                               {"CLONE_PARENT", 0x8000},
                               {"CLONE_THREAD", 0x10000},
                               {"CLONE_NEWNS", 0x20000},
                               {"CLONE_SYSVSEM", 0x40000},
                               {"CLONE_SETTLS", 0x80000},
                               {"CLONE_PARENT_SETTID", 0x100000},
                               {"CLONE_CHILD_CLEARTID", 0x200000},
                               {"CLONE_DETACHED", 0x400000},
                               {"CLONE_UNTRACED", 0x800000},
                               {"CLONE_CHILD_SETTID", 0x1000000},
                               {"CLONE_NEWCGROUP", 0x2000000},
                               {"CLONE_NEWUTS", 0x4000000},
                               {"CLONE_NEWIPC", 0x8000000},
                               {"CLONE_NEWUSER", 0x10000000},
                               {"CLONE_NEWPID", 0x20000000},
                               {"CLONE_NEWNET", 0x40000000},
                               {"CLONE_IO", 0x80000000}};
constexpr Name kFutexOperation[] = {{"FUTEX_WAIT", 0},
                                    {"FUTEX_WAKE", 1},
                                    {"FUTEX_FD", 2},
                                    {"FUTEX_REQUEUE", 3},
                                    {"FUTEX_CMP_REQUEUE", 4},
                                    {"FUTEX_WAKE_OP", 5},
                                    {"FUTEX_LOCK_PI", 6},
                                    {"FUTEX_UNLOCK_PI", 7},
                                    {"FUTEX_TRYLOCK_PI", 8},
                                    {"FUTEX_WAIT_BITSET", 9},
                                    {"FUTEX_WAKE_BITSET", 10},
                                    {"FUTEX_WAIT_REQUEUE_PI", 11},
                                    {"FUTEX_CMP_REQUEUE_PI", 12},
                                    {"FUTEX_LOCK_PI2", 13}};
constexpr Name kArchOperation[] = {{"ARCH_SET_GS", 0x1001},    {"ARCH_SET_FS", 0x1002},
                                   {"ARCH_GET_FS", 0x1003},    {"ARCH_GET_GS", 0x1004},
                                   {"ARCH_GET_CPUID", 0x1011}, {"ARCH_CET_STATUS", 0x3001}};
constexpr Name kPrctlOperation[] = {{"PR_SET_PDEATHSIG", 1},
                                    {"PR_GET_PDEATHSIG", 2},
                                    {"PR_GET_DUMPABLE", 3},
                                    {"PR_SET_DUMPABLE", 4},
                                    {"PR_GET_KEEPCAPS", 7},
                                    {"PR_SET_KEEPCAPS", 8},
                                    {"PR_SET_NAME", 15},
                                    {"PR_GET_NAME", 16},
                                    {"PR_GET_SECCOMP", 21},
                                    {"PR_SET_SECCOMP", 22},
                                    {"PR_CAPBSET_READ", 23},
                                    {"PR_CAPBSET_DROP", 24},
                                    {"PR_SET_SECUREBITS", 28},
                                    {"PR_SET_TIMERSLACK", 29},
                                    {"PR_GET_TIMERSLACK", 30},
                                    {"PR_SET_MM", 35},
                                    {"PR_SET_CHILD_SUBREAPER", 36},
                                    {"PR_GET_CHILD_SUBREAPER", 37},
                                    {"PR_SET_NO_NEW_PRIVS", 38},
                                    {"PR_GET_NO_NEW_PRIVS", 39},
                                    {"PR_GET_TID_ADDRESS", 40},
                                    {"PR_CAP_AMBIENT", 47},
                                    {"PR_SET_VMA", 0x53564d41}};

constexpr TypeNames kTypes[] = {
    {"MaskChange", false, "", kMaskChange},
    {"IntervalTimer", false, "", kIntervalTimer},
    {"TimerFlags", true, "", kTimerFlags},
    {"SignalFdFlags", true, "", kSignalFdFlags},
    {"PidFdFlags", true, "", kPidFdFlags},
    {"Resource", false, "", kResource},
    {"MemoryAdvice", false, "", kMemoryAdvice},
    {"WaitOptions", true, "", kWaitOptions},
    {"WaitType", false, "", kWaitType},
    {"RemapFlags", true, "", kRemapFlags},
    {"RandomFlags", true, "", kRandomFlags},
    {"SyncFlags", true, "", kSyncFlags},
    {"CloneBits", true, "", kCloneBits},
    {"FutexOperation", false, "", kFutexOperation},
    {"ArchOperation", false, "", kArchOperation},
    {"PrctlOperation", false, "", kPrctlOperation},
    {"OpenFlags", true, "", kOpenFlags},
    {"AtFlags", true, "", kAtFlags},
    {"AccessMask", true, "F_OK", kAccessMask},
    {"Whence", false, "", kWhence},
    {"FcntlCommand", false, "", kFcntlCommand},
    {"IoctlRequest", false, "", kIoctlRequest},
    {"LockOperation", true, "", kLockOperation},
    {"RenameFlags", true, "", kRenameFlags},
    {"FallocateMode", true, "", kFallocateMode},
    {"RwFlags", true, "", kRwFlags},
    {"CloseRangeFlags", true, "", kCloseRangeFlags},
    {"StatxMask", true, "", kStatxMask},
    {"SpliceFlags", true, "", kSpliceFlags},
    {"XattrFlags", true, "", kXattrFlags},
    {"FileAdvice", false, "", kFileAdvice},
    {"EventFdFlags", true, "", kEventFdFlags},
    {"TimerFdFlags", true, "", kTimerFdFlags},
    {"TimerSetFlags", true, "", kTimerSetFlags},
    {"EpollFlags", true, "", kEpollFlags},
    {"EpollOperation", false, "", kEpollOperation},
    {"EpollEvents", true, "", kEpollEvents},
    {"PollEvents", true, "", kPollEvents},
    {"MemfdFlags", true, "", kMemfdFlags},
    {"InotifyFlags", true, "", kInotifyFlags},
    {"MountBits", true, "", kMountBits},
    {"UmountFlags", true, "", kUmountFlags},
    {"SocketDomain", false, "", kSocketDomain},
    {"MessageFlags", true, "", kMessageFlags},
    {"ShutdownHow", false, "", kShutdownHow},
    {"ClockId", false, "", kClockId},
    {"SignalNumber", false, "", kSignalNumber},
    {"Protection", true, "PROT_NONE", kProtection},
    {"MapBits", true, "", kMapBits},
};

// Parameters whose type is a plain number: what they mean, in one call or wherever the name stands.
struct Meaning {
  std::string_view call;  // empty: any
  std::string_view parameter;
  std::string_view type;
};
constexpr Meaning kMeanings[] = {
    {"", "protection", "Protection"},
    {"", "resource", "Resource"},
    {"", "clock", "ClockId"},
    {"mmap", "flags", "MapBits"},
    {"mremap", "flags", "RemapFlags"},
    {"msync", "flags", "SyncFlags"},
    {"madvise", "advice", "MemoryAdvice"},
    {"clone", "flags", "CloneBits"},
    {"unshare", "flags", "CloneBits"},
    {"getrandom", "flags", "RandomFlags"},
    {"wait4", "options", "WaitOptions"},
    {"waitid", "options", "WaitOptions"},
    {"waitid", "type", "WaitType"},
    {"clock_nanosleep", "flags", "TimerFlags"},
    {"arch_prctl", "operation", "ArchOperation"},
    {"prctl", "operation", "PrctlOperation"},
};

const TypeNames* Find(std::string_view type) {
  for (const TypeNames& names : kTypes)
    if (names.type == type) return &names;
  return nullptr;
}

void ShowBits(TextSink& out, const TypeNames& type, uint64_t value) {
  if (value == 0) return out.Append(type.nothing.empty() ? "0" : type.nothing);
  bool first = true;
  for (const Name& name : type.names) {
    if ((value & name.value) != name.value) continue;
    Write(out, first ? "" : "|", name.text);
    first = false;
    value &= ~name.value;
  }
  if (value != 0) Write(out, first ? "0x" : "|0x", Hex{value});
}

// The access mode is a number, not bits: O_RDONLY is 0.
void ShowOpenFlags(TextSink& out, const TypeNames& type, uint64_t value) {
  if ((value & 3) == 0) {
    out.Append("O_RDONLY");
    if (value == 0) return;
    out.Append("|");
  }
  ShowBits(out, type, value);
}

// The exit signal is in the low byte.
void ShowCloneFlags(TextSink& out, const TypeNames& type, uint64_t value) {
  if (value & ~uint64_t{0xff}) ShowBits(out, type, value & ~uint64_t{0xff});
  if ((value & 0xff) == 0) return out.Append(value ? "" : "0");
  Write(out, value & ~uint64_t{0xff} ? "|" : "", SignalName(int(value & 0xff)));
}

void ShowFutexOperation(TextSink& out, const TypeNames& type, uint64_t value) {
  constexpr uint64_t kPrivate = 128, kRealtime = 256;
  for (const Name& name : type.names)
    if (name.value == (value & 127)) out.Append(name.text);
  if (value & kPrivate) out.Append("_PRIVATE");
  if (value & kRealtime) out.Append("|FUTEX_CLOCK_REALTIME");
}

void ShowFileMode(TextSink& out, uint64_t value) {
  switch (value & vfs::kModeTypeMask) {
    case vfs::kModeRegular:
      out.Append("S_IFREG|");
      break;
    case vfs::kModeDirectory:
      out.Append("S_IFDIR|");
      break;
    case vfs::kModeChar:
      out.Append("S_IFCHR|");
      break;
    case vfs::kModeBlock:
      out.Append("S_IFBLK|");
      break;
    case vfs::kModeFifo:
      out.Append("S_IFIFO|");
      break;
    case vfs::kModeSymlink:
      out.Append("S_IFLNK|");
      break;
    case vfs::kModeSocket:
      out.Append("S_IFSOCK|");
      break;
    default:
      break;
  }
  Write(out, "0", Octal{value & 07777, 3});
}

void ShowSocketType(TextSink& out, uint64_t value) {
  constexpr std::string_view kNames[] = {"0",        "SOCK_STREAM", "SOCK_DGRAM",
                                         "SOCK_RAW", "SOCK_RDM",    "SOCK_SEQPACKET"};
  const uint64_t type = value & 0xf;
  if (type < std::size(kNames)) {
    out.Append(kNames[type]);
  } else {
    Write(out, "0x", Hex{type});
  }
  if (value & uint32_t(SocketType::kCloseOnExec)) out.Append("|SOCK_CLOEXEC");
  if (value & uint32_t(SocketType::kNonBlock)) out.Append("|SOCK_NONBLOCK");
}

}  // namespace

bool ShowNamed(TextSink& out, std::string_view type, uint64_t value) {
  if (type == "FileMode") return ShowFileMode(out, uint32_t(value)), true;
  if (type == "Signal") return value ? out.Append(SignalName(int(value))) : out.Append("0"), true;
  if (type == "SocketType") return ShowSocketType(out, uint32_t(value)), true;
  const TypeNames* names = Find(type);
  if (!names) return false;
  if (type != "MountBits") value = uint32_t(value);
  if (type == "OpenFlags") return ShowOpenFlags(out, *names, value), true;
  if (type == "CloneBits") return ShowCloneFlags(out, *names, value), true;
  if (type == "FutexOperation") return ShowFutexOperation(out, *names, value), true;
  if (names->bits) return ShowBits(out, *names, value), true;
  for (const Name& name : names->names)
    if (name.value == value) return out.Append(name.text), true;
  Write(out, "0x", Hex{value});
  return true;
}

std::string_view MeaningOf(std::string_view call, std::string_view parameter) {
  for (const Meaning& meaning : kMeanings)
    if (meaning.parameter == parameter && (meaning.call.empty() || meaning.call == call))
      return meaning.type;
  return {};
}

std::string_view SignalName(int signo) {
  for (const Name& name : kSignalNumber)
    if (int(name.value) == signo) return name.text;
  return signo >= abi::kSigRtMin ? "SIGRT" : "SIG?";
}

}  // namespace zrun::compat
