#include <algorithm>

#include "base/assert.h"
#include "hal/disks.h"
#include "hal/processor.h"
#include "hal/thread.h"
#include "objects/vm/page_reclaim.h"
#include "vfs/block_device.h"
#include "vfs/procfs/proc_entry.h"

// The files of /proc that are about the system.
namespace zrun::vfs {
namespace {

using hal::Nanoseconds;

constexpr Nanoseconds kTick = hal::kSecond / 100;  // USER_HZ
constexpr uint32_t kLink = kModeSymlink | 0777;

// "12.34"
void ShowSeconds(TextSink& out, Nanoseconds time) {
  Write(out, time / hal::kSecond, '.', Pad{time % hal::kSecond / (hal::kSecond / 100), 2, '0'});
}

Result<void> ShowCpuInfo(const ProcRequest&, TextSink& out) {
  out.Append(hal::GetProcessorFacts().cpuinfo);
  return {};
}

Result<void> ShowPartitions(const ProcRequest&, TextSink& out) {
  Write(out, "major minor  #blocks  name\n\n");
  for (unsigned disk = 0; disk < DiskNodeCount(); disk++) {
    const uint64_t number = DiskNumber(disk);
    Write(out, Pad{DeviceMajor(number), 4}, " ", Pad{DeviceMinor(number), 8}, " ",
          Pad{int64_t(hal::GetDisk(disk).size / 1024), 10}, " vd", char('a' + disk), '\n');
  }
  return {};
}

Result<void> ShowMemInfo(const ProcRequest&, TextSink& out) {
  const uint64_t total = hal::TotalRam();
  const uint64_t committed = std::min(hal::CommittedRam(), total);
  const uint64_t cached = std::min(CachedBytes(), committed);
  const uint64_t used = committed - cached;
  const auto line = [&](std::string_view name, uint64_t bytes) {
    Write(out, PadText{name, -16}, Pad{int64_t(bytes / 1024), 8}, " kB\n");
  };
  line("MemTotal:", total);
  line("MemFree:", total - committed);
  line("MemAvailable:", total - used);
  line("Buffers:", 0);
  line("Cached:", cached);
  line("SwapCached:", 0);
  line("Active:", used);
  line("Inactive:", cached);
  line("Active(anon):", used);
  line("Inactive(anon):", 0);
  line("Active(file):", 0);
  line("Inactive(file):", cached);
  line("Unevictable:", 0);
  line("Mlocked:", 0);
  line("SwapTotal:", 0);
  line("SwapFree:", 0);
  line("Dirty:", 0);
  line("Writeback:", 0);
  line("AnonPages:", used);
  line("Mapped:", 0);
  line("Shmem:", 0);
  line("KReclaimable:", 0);
  line("Slab:", 0);
  line("SReclaimable:", 0);
  line("SUnreclaim:", 0);
  line("KernelStack:", 0);
  line("PageTables:", 0);
  line("CommitLimit:", total);
  line("Committed_AS:", used);
  line("VmallocTotal:", uint64_t{1} << 45);
  line("VmallocUsed:", 0);
  line("VmallocChunk:", 0);
  Write(out,
        "HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\n"
        "HugePages_Surp:        0\nHugepagesize:       2048 kB\n");
  return {};
}

// Which processor did what is not known: the work is shown as shared evenly.
Result<void> ShowStat(const ProcRequest& request, TextSink& out) {
  const SystemFacts facts = request.source.System();
  const int64_t cpus = std::max<int64_t>(hal::CpuCount(), 1);
  const int64_t user = facts.user / kTick, system = facts.system / kTick;
  const int64_t idle = std::max<int64_t>(facts.uptime / kTick * cpus - user - system, 0);
  const auto line = [&](int64_t share) {
    Write(out, ' ', user / share, " 0 ", system / share, ' ', idle / share, " 0 0 0 0 0 0\n");
  };
  out.Append("cpu ");
  line(1);
  for (int64_t i = 0; i < cpus; i++) {
    Write(out, "cpu", i);
    line(cpus);
  }
  Write(out, "intr 0\nctxt ", facts.switches, "\nbtime ", facts.boot_realtime / hal::kSecond,
        "\nprocesses ", facts.forks, "\nprocs_running ", std::max<uint32_t>(facts.running, 1),
        "\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n");
  return {};
}

Result<void> ShowUptime(const ProcRequest& request, TextSink& out) {
  const SystemFacts facts = request.source.System();
  const Nanoseconds all = facts.uptime * std::max<int64_t>(hal::CpuCount(), 1);
  ShowSeconds(out, facts.uptime);
  out.Append(" ");
  ShowSeconds(out, std::max<Nanoseconds>(all - facts.user - facts.system, 0));
  out.Append("\n");
  return {};
}

Result<void> ShowLoadAverage(const ProcRequest& request, TextSink& out) {
  constexpr uint64_t kOne = uint64_t{1} << SystemFacts::kLoadFractionBits;
  const SystemFacts facts = request.source.System();
  for (const uint64_t load : facts.load) {
    const uint64_t rounded = load + kOne / 200;
    Write(out, rounded / kOne, '.', Pad{int64_t(rounded % kOne * 100 / kOne), 2, '0'}, ' ');
  }
  Write(out, std::max<uint32_t>(facts.running, 1), '/', facts.threads, ' ', facts.last_pid, '\n');
  return {};
}

Result<void> ShowVersion(const ProcRequest& request, TextSink& out) {
  Write(out, "Linux version ", request.source.Release(),
        " (zrun@zrun) (zrun) #1 SMP PREEMPT_DYNAMIC\n");
  return {};
}

Result<void> ShowFileSystems(const ProcRequest&, TextSink& out) {
  for (const FileSystemType& type : AllFileSystemTypes())
    Write(out, type.mount ? "nodev\t" : "\t", type.name, '\n');
  return {};
}

Result<void> ShowSelf(const ProcRequest& request, TextSink& out) {
  Write(out, request.source.Current().pid);
  return {};
}

Result<void> ShowThreadSelf(const ProcRequest& request, TextSink& out) {
  const ProcId id = request.source.Current();
  Write(out, id.pid, "/task/", id.tid);
  return {};
}

Result<void> ShowInterrupts(const ProcRequest&, TextSink& out) {
  out.Append("          ");
  for (unsigned i = 0; i < hal::CpuCount(); i++) {
    const TextBuffer<16> name("CPU", i);
    Write(out, PadText{name.view(), -11});
  }
  out.Append("\n");
  return {};
}

Result<void> ShowVmStat(const ProcRequest&, TextSink& out) {
  const uint64_t total = hal::TotalRam() / hal::kPageSize;
  const uint64_t used = std::min(hal::CommittedRam() / hal::kPageSize, total);
  Write(out, "nr_free_pages ", total - used, "\nnr_anon_pages ", used,
        "\nnr_mapped 0\nnr_file_pages 0\nnr_dirty 0\nnr_writeback 0\nnr_shmem 0\npgpgin 0\n"
        "pgpgout 0\npswpin 0\npswpout 0\npgfault 0\npgmajfault 0\noom_kill 0\n");
  return {};
}

// All memory is one zone.
struct Zone {
  uint64_t total = hal::TotalRam() / hal::kPageSize;
  uint64_t free = total - std::min(hal::CommittedRam() / hal::kPageSize, total);
};

Result<void> ShowZoneInfo(const ProcRequest&, TextSink& out) {
  const Zone zone;
  Write(out, "Node 0, zone   Normal\n  per-node stats\n  pages free     ", zone.free,
        "\n        boost    0\n        min      0\n        low      0\n        high     0\n"
        "        spanned  ",
        zone.total, "\n        present  ", zone.total, "\n        managed  ", zone.total,
        "\n        protection: (0)\n      nr_free_pages ", zone.free,
        "\n  start_pfn:           0\n");
  return {};
}

// Free blocks of 1, 2, 4 ... pages, as if what is free were in one piece.
Result<void> ShowBuddyInfo(const ProcRequest&, TextSink& out) {
  constexpr unsigned kOrders = 11;
  const uint64_t free = Zone().free;
  Write(out, "Node 0, zone   Normal ");
  for (unsigned order = 0; order + 1 < kOrders; order++)
    Write(out, Pad{int64_t(free >> order & 1), 6}, ' ');
  Write(out, Pad{int64_t(free >> (kOrders - 1)), 6}, " \n");
  return {};
}

// Work that is put off until an interrupt's end: this kernel has threads for it.
Result<void> ShowSoftIrqs(const ProcRequest&, TextSink& out) {
  static constexpr std::string_view kNames[] = {"HI",       "TIMER",   "NET_TX", "NET_RX",  "BLOCK",
                                                "IRQ_POLL", "TASKLET", "SCHED",  "HRTIMER", "RCU"};
  Write(out, "                    ");
  for (unsigned i = 0; i < hal::CpuCount(); i++)
    Write(out, PadText{TextBuffer<16>("CPU", i).view(), -11});
  Write(out, '\n');
  for (std::string_view name : kNames) {
    Write(out, PadText{name, 12}, ':');
    for (unsigned i = 0; i < hal::CpuCount(); i++) Write(out, Pad{0, 10}, ' ');
    Write(out, '\n');
  }
  return {};
}

Result<void> ShowCommandLine(const ProcRequest&, TextSink& out) {
  out.Append("\n");  // the machine's own words are not the container's business
  return {};
}

template <ProcIpc kWhich>
Result<void> ShowIpc(const ProcRequest& request, TextSink& out) {
  request.source.ShowIpc(kWhich, out);
  return {};
}

// The letters that Linux's sysrq.rst lists, as far as they concern a container.
Result<void> StoreSysRq(const ProcRequest&, std::string_view text) {
  if (text.starts_with('c')) PANIC("a crash was asked for (sysrq-trigger)");
  return {};
}

// The drivers of vfs/devfs/char_devices.cc, and the disks'.
Result<void> ShowDevices(const ProcRequest&, TextSink& out) {
  Write(out,
        "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n136 pts\n\n"
        "Block devices:\n");
  if (DiskNodeCount() > 0) Write(out, DeviceMajor(DiskNumber(0)), " virtblk\n");
  return {};
}

Result<void> ShowNothing(const ProcRequest&, TextSink&) { return {}; }

constexpr ProcEntry kEntries[] = {
    {.path = "buddyinfo", .show = ShowBuddyInfo},
    {.path = "cgroups", .constant = "#subsys_name\thierarchy\tnum_cgroups\tenabled"},
    {.path = "cmdline", .show = ShowCommandLine},
    {.path = "consoles", .show = ShowNothing},  // the kernel's own lines go to no device
    {.path = "cpuinfo", .show = ShowCpuInfo},
    {.path = "devices", .show = ShowDevices},
    {.path = "diskstats", .show = ShowNothing},
    {.path = "filesystems", .show = ShowFileSystems},
    {.path = "interrupts", .show = ShowInterrupts},
    {.path = "loadavg", .show = ShowLoadAverage},
    {.path = "locks", .show = ShowLocks},
    {.path = "meminfo", .show = ShowMemInfo},
    {.path = "misc", .show = ShowNothing},
    {.path = "modules", .show = ShowNothing},
    {.path = "mounts", .mode = kLink, .constant = "self/mounts"},
    {.path = "net", .mode = kLink, .constant = "self/net"},
    {.path = "partitions", .show = ShowPartitions},
    {.path = "self", .mode = kLink, .show = ShowSelf},
    {.path = "softirqs", .show = ShowSoftIrqs},
    {.path = "stat", .show = ShowStat},
    {.path = "swaps", .constant = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority"},
    {.path = "sysrq-trigger",
     .mode = kModeRegular | 0200,
     .show = ShowNothing,
     .store = StoreSysRq},
    {.path = "sysvipc/msg", .show = ShowIpc<ProcIpc::kMessageQueues>},
    {.path = "sysvipc/sem", .show = ShowIpc<ProcIpc::kSemaphores>},
    {.path = "sysvipc/shm", .show = ShowIpc<ProcIpc::kSharedMemory>},
    {.path = "thread-self", .mode = kLink, .show = ShowThreadSelf},
    {.path = "uptime", .show = ShowUptime},
    {.path = "version", .show = ShowVersion},
    {.path = "vmstat", .show = ShowVmStat},
    {.path = "zoneinfo", .show = ShowZoneInfo},
};

}  // namespace

constinit const ProcTable kSystemEntries = kEntries;

}  // namespace zrun::vfs
