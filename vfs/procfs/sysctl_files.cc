#include <algorithm>

#include "hal/devices.h"
#include "hal/memory.h"
#include "objects/vm/map_limit.h"
#include "vfs/directory_notice.h"
#include "vfs/inotify.h"
#include "vfs/ipc_settings.h"
#include "vfs/leases.h"
#include "vfs/pipe.h"
#include "vfs/procfs/proc_entry.h"
#include "vfs/tty/devpts.h"

// /proc/sys: the settings that programs ask for. Those that cannot be changed are read-only; advice
// about devices and memory that this kernel has no use for is kept as it was written.
namespace zrun::vfs {
namespace {

template <ProcName kWhich>
Result<void> ShowSystemName(const ProcRequest& request, TextSink& out) {
  Write(out, request.source.GetSystemName(kWhich).view(), '\n');
  return {};
}
template <ProcName kWhich>
RefPtr<ChangeNotice> NameChanges(const ProcRequest& request) {
  return request.source.SystemNameChanges(kWhich);
}
template <ProcName kWhich>
Result<void> StoreSystemName(const ProcRequest& request, std::string_view text) {
  return request.source.SetSystemName(kWhich, text);
}

Result<void> ShowRelease(const ProcRequest& request, TextSink& out) {
  Write(out, request.source.Release(), '\n');
  return {};
}

void ShowUuid(std::span<const std::byte, 16> bytes, TextSink& out) {
  for (size_t i = 0; i < bytes.size(); i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out.Append("-");
    uint8_t byte = uint8_t(bytes[i]);
    if (i == 6) byte = (byte & 0x0f) | 0x40;  // version 4
    if (i == 8) byte = (byte & 0x3f) | 0x80;
    Write(out, Hex{byte, 2});
  }
  out.Append("\n");
}

Result<void> ShowRandomUuid(const ProcRequest&, TextSink& out) {
  std::array<std::byte, 16> bytes;
  hal::FillEntropy(bytes);
  ShowUuid(bytes, out);
  return {};
}

// The same from boot to halt.
class BootId {
 public:
  std::array<std::byte, 16> Get() EXCLUDES(lock_) {
    MutexLock lock(lock_);
    if (!made_) hal::FillEntropy(bytes_);
    made_ = true;
    return bytes_;
  }

 private:
  Mutex lock_{LockRank::kLeaf};
  bool made_ GUARDED_BY(lock_) = false;
  std::array<std::byte, 16> bytes_ GUARDED_BY(lock_) = {};
};
constinit BootId boot_id;

Result<void> ShowBootId(const ProcRequest&, TextSink& out) {
  const auto bytes = boot_id.Get();
  ShowUuid(bytes, out);
  return {};
}

constexpr uint32_t kWritable = kModeRegular | 0644;
constexpr std::string_view kNoLimit = "9223372036854775807";  // but memory

// How Linux sets aside memory for what must not wait: the root of 16 times the kilobytes there are.
Result<void> ShowMinFree(const ProcRequest&, TextSink& out) {
  const uint64_t square = hal::TotalRam() / 1024 * 16;
  uint64_t root = 1;
  while ((root + 1) * (root + 1) <= square && root < 262144) root++;
  Write(out, std::max<uint64_t>(root, 128), '\n');
  return {};
}

// A whole number and nothing else: EINVAL, also above |most|.
Result<uint64_t> ParseSetting(std::string_view text, uint64_t most) {
  const ParsedNumber number = ParseUnsigned(text);
  if (number.length == 0 || number.length != text.size() || number.value > most)
    return Errno::kEINVAL;
  return number.value;
}

Result<void> ShowMountMax(const ProcRequest&, TextSink& out) {
  Write(out, MountNamespace::limit(), '\n');
  return {};
}
Result<void> StoreMountMax(const ProcRequest&, std::string_view text) {
  const uint64_t limit = TRY(ParseSetting(text, INT32_MAX));
  if (limit == 0) return Errno::kEINVAL;
  MountNamespace::SetLimit(uint32_t(limit));
  return {};
}

Result<void> ShowMaxMapCount(const ProcRequest&, TextSink& out) {
  Write(out, max_mappings.load(), '\n');
  return {};
}
Result<void> StoreMaxMapCount(const ProcRequest&, std::string_view text) {
  max_mappings.store(uint32_t(TRY(ParseSetting(text, INT32_MAX))));
  return {};
}

Result<void> ShowShmMax(const ProcRequest&, TextSink& out) {
  Write(out, ipc_settings.shmmax.load(), '\n');
  return {};
}
Result<void> StoreShmMax(const ProcRequest&, std::string_view text) {
  ipc_settings.shmmax.store(TRY(ParseSetting(text, UINT64_MAX)));
  return {};
}

Result<void> ShowLastPid(const ProcRequest& request, TextSink& out) {
  Write(out, request.source.System().last_pid, '\n');
  return {};
}
Result<void> StoreLastPid(const ProcRequest& request, std::string_view text) {
  return request.source.SetLastPid(int32_t(TRY(ParseSetting(text, INT32_MAX))));
}

Result<void> ShowPipeMaxSize(const ProcRequest&, TextSink& out) {
  Write(out, pipe_max_size.get(), '\n');
  return {};
}
Result<void> StorePipeMaxSize(const ProcRequest&, std::string_view text) {
  if (!SetPipeMaxSize(TRY(ParseSetting(text, UINT64_MAX)))) return Errno::kEINVAL;
  return {};
}

constinit Setting g_dirty_background_ratio{10, 0, 100};
constinit Setting g_dirty_expire{3000, 0, INT32_MAX};
constinit Setting g_dirty_ratio{20, 0, 100};
constinit Setting g_dirty_writeback{500, 0, INT32_MAX};
constinit Setting g_laptop_mode{0, 0, INT32_MAX};
constinit Setting g_page_cluster{3, 0, 31};
constinit Setting g_swappiness{60, 0, 200};
constinit Setting g_vfs_cache_pressure{100, 0, INT32_MAX};

// What is there, of what kind.
Result<void> ShowFileNumbers(const ProcRequest&, TextSink& out) {
  Write(out, FileDescription::count(), "\t0\t", kNoLimit, '\n');
  return {};
}
// An inode that nobody uses is not kept: what Linux would count as unused, the names' cache uses.
Result<void> ShowInodeNumbers(const ProcRequest&, TextSink& out) {
  Write(out, Vnode::count(), "\t0\n");
  return {};
}
Result<void> ShowInodeState(const ProcRequest&, TextSink& out) {
  Write(out, Vnode::count(), "\t0\t0\t0\t0\t0\t0\n");
  return {};
}
Result<void> ShowDentryState(const ProcRequest&, TextSink& out) {
  const Dentry::Counts counts = Dentry::Count();
  // Two fields that nothing uses, and Linux's age limit, which nothing honours there either.
  Write(out, counts.all, '\t', counts.unused, "\t45\t0\t", counts.negative, "\t0\n");
  return {};
}
Result<void> ShowPtyCount(const ProcRequest&, TextSink& out) {
  Write(out, DevPts::count(), '\n');
  return {};
}
Result<void> ShowPtyMax(const ProcRequest&, TextSink& out) {
  Write(out, DevPts::kMaxPtys, '\n');
  return {};
}
Result<void> ShowEmptyLine(const ProcRequest&, TextSink& out) {
  out.Append("\n");
  return {};
}

// Constants are what the kernel's code enforces, under the same numbers, or say what it lacks.
constexpr ProcEntry kEntries[] = {
    {.path = "fs/dentry-state", .show = ShowDentryState},
    {.path = "fs/dir-notify-enable", .mode = kWritable, .setting = &dir_notify_enable},
    {.path = "fs/epoll/max_user_watches", .constant = kNoLimit},
    {.path = "fs/file-max", .constant = kNoLimit},
    {.path = "fs/file-nr", .show = ShowFileNumbers},
    {.path = "fs/inode-nr", .show = ShowInodeNumbers},
    {.path = "fs/inode-state", .show = ShowInodeState},
    {.path = "fs/inotify/max_queued_events",
     .mode = kWritable,
     .setting = &inotify_limits.queued_events},
    {.path = "fs/inotify/max_user_instances",
     .mode = kWritable,
     .setting = &inotify_limits.user_instances},
    {.path = "fs/inotify/max_user_watches",
     .mode = kWritable,
     .setting = &inotify_limits.user_watches},
    {.path = "fs/lease-break-time", .mode = kWritable, .setting = &lease_break_time},
    {.path = "fs/leases-enable", .mode = kWritable, .setting = &leases_enable},
    {.path = "fs/mount-max", .mode = kWritable, .show = ShowMountMax, .store = StoreMountMax},
    {.path = "fs/nr_open", .constant = "1048576"},
    {.path = "fs/overflowgid", .constant = "65534"},
    {.path = "fs/overflowuid", .constant = "65534"},
    {.path = "fs/pipe-max-size",
     .mode = kWritable,
     .show = ShowPipeMaxSize,
     .store = StorePipeMaxSize},
    {.path = "fs/pipe-user-pages-hard", .constant = "0"},
    {.path = "fs/pipe-user-pages-soft", .constant = "0"},  // no limit
    {.path = "fs/protected_fifos", .constant = "1"},
    {.path = "fs/protected_hardlinks", .constant = "1"},
    {.path = "fs/protected_regular", .constant = "1"},
    {.path = "fs/protected_symlinks", .constant = "1"},
    {.path = "fs/suid_dumpable", .constant = "0"},
    {.path = "kernel/cap_last_cap", .constant = "40"},
    {.path = "kernel/core_pattern", .show = ShowEmptyLine},  // no core is ever written
    {.path = "kernel/core_uses_pid", .constant = "0"},
    {.path = "kernel/dmesg_restrict", .constant = "1"},
    {.path = "kernel/domainname",
     .mode = kWritable,
     .show = ShowSystemName<ProcName::kDomain>,
     .store = StoreSystemName<ProcName::kDomain>,
     .changes = NameChanges<ProcName::kDomain>},
    {.path = "kernel/hostname",
     .mode = kWritable,
     .show = ShowSystemName<ProcName::kHost>,
     .store = StoreSystemName<ProcName::kHost>,
     .changes = NameChanges<ProcName::kHost>},
    {.path = "kernel/io_uring_disabled", .constant = "2"},
    {.path = "kernel/kptr_restrict", .constant = "2"},
    {.path = "kernel/modules_disabled", .constant = "1"},
    {.path = "kernel/msg_next_id", .mode = kWritable, .setting = &ipc_settings.msg_next_id},
    {.path = "kernel/msgmax", .mode = kWritable, .setting = &ipc_settings.msgmax},
    {.path = "kernel/msgmnb", .mode = kWritable, .setting = &ipc_settings.msgmnb},
    {.path = "kernel/msgmni", .mode = kWritable, .setting = &ipc_settings.msgmni},
    {.path = "kernel/ngroups_max", .constant = "65536"},
    {.path = "kernel/ns_last_pid",
     .mode = kModeRegular | 0666,
     .show = ShowLastPid,
     .store = StoreLastPid},
    {.path = "kernel/osrelease", .show = ShowRelease},
    {.path = "kernel/ostype", .constant = "Linux"},
    {.path = "kernel/overflowgid", .constant = "65534"},
    {.path = "kernel/overflowuid", .constant = "65534"},
    {.path = "kernel/panic", .constant = "-1"},  // the machine ends at once
    {.path = "kernel/pid_max", .constant = "32768"},
    {.path = "kernel/printk", .constant = "4\t4\t1\t7"},
    {.path = "kernel/pty/max", .show = ShowPtyMax},
    {.path = "kernel/pty/nr", .show = ShowPtyCount},
    {.path = "kernel/pty/reserve", .constant = "0"},
    {.path = "kernel/random/boot_id", .show = ShowBootId},
    {.path = "kernel/random/entropy_avail", .constant = "256"},
    {.path = "kernel/random/poolsize", .constant = "256"},
    {.path = "kernel/random/uuid", .show = ShowRandomUuid},
    {.path = "kernel/randomize_va_space", .constant = "2"},
    {.path = "kernel/sem", .constant = "32000\t1024000000\t500\t32000"},
    {.path = "kernel/sem_next_id", .mode = kWritable, .setting = &ipc_settings.sem_next_id},
    {.path = "kernel/shm_next_id", .mode = kWritable, .setting = &ipc_settings.shm_next_id},
    {.path = "kernel/shmall", .constant = "18446744073692774399"},
    {.path = "kernel/shmmax", .mode = kWritable, .show = ShowShmMax, .store = StoreShmMax},
    {.path = "kernel/shmmni", .mode = kWritable, .setting = &ipc_settings.shmmni},
    {.path = "kernel/tainted", .constant = "0"},
    {.path = "kernel/threads-max", .constant = "32768"},
    {.path = "kernel/unprivileged_bpf_disabled", .constant = "2"},
    {.path = "kernel/version", .constant = "#1 SMP PREEMPT_DYNAMIC"},
    {.path = "net/core/optmem_max", .constant = "131072"},
    {.path = "net/core/rmem_default", .constant = "212992"},
    {.path = "net/core/rmem_max", .constant = "212992"},
    {.path = "net/core/somaxconn", .constant = "4096"},
    {.path = "net/core/wmem_default", .constant = "212992"},
    {.path = "net/core/wmem_max", .constant = "212992"},
    {.path = "net/unix/max_dgram_qlen", .constant = "10"},
    {.path = "user/max_mnt_namespaces", .constant = "0"},
    {.path = "user/max_pid_namespaces", .constant = "0"},
    {.path = "user/max_user_namespaces", .constant = "0"},
    {.path = "vm/dirty_background_ratio", .mode = kWritable, .setting = &g_dirty_background_ratio},
    {.path = "vm/dirty_expire_centisecs", .mode = kWritable, .setting = &g_dirty_expire},
    {.path = "vm/dirty_ratio", .mode = kWritable, .setting = &g_dirty_ratio},
    {.path = "vm/dirty_writeback_centisecs", .mode = kWritable, .setting = &g_dirty_writeback},
    {.path = "vm/laptop_mode", .mode = kWritable, .setting = &g_laptop_mode},
    {.path = "vm/max_map_count",
     .mode = kWritable,
     .show = ShowMaxMapCount,
     .store = StoreMaxMapCount},
    {.path = "vm/min_free_kbytes", .show = ShowMinFree},
    {.path = "vm/mmap_min_addr", .constant = "65536"},
    {.path = "vm/mmap_rnd_bits", .constant = "28"},
    {.path = "vm/nr_hugepages", .constant = "0"},
    {.path = "vm/overcommit_memory", .constant = "0"},
    {.path = "vm/overcommit_ratio", .constant = "50"},
    {.path = "vm/page-cluster", .mode = kWritable, .setting = &g_page_cluster},
    {.path = "vm/swappiness", .mode = kWritable, .setting = &g_swappiness},
    {.path = "vm/vfs_cache_pressure", .mode = kWritable, .setting = &g_vfs_cache_pressure},
};

}  // namespace

constinit IpcSettings ipc_settings;

constinit const ProcTable kSysctlEntries = kEntries;

}  // namespace zrun::vfs
