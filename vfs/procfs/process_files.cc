#include <algorithm>

#include "hal/thread.h"
#include "vfs/procfs/proc_entry.h"

// The files of /proc/PID, as proc(5) describes them.
namespace zrun::vfs {
namespace {

using hal::kPageSize;
using hal::Nanoseconds;

constexpr Nanoseconds kTick = hal::kSecond / 100;  // USER_HZ
constexpr uint32_t kFile = kModeRegular, kLink = kModeSymlink | 0777;

std::string_view StateName(char state) {
  switch (state) {
    case 'R':
      return "R (running)";
    case 'D':
      return "D (disk sleep)";
    case 'T':
      return "T (stopped)";
    case 't':
      return "t (tracing stop)";
    case 'Z':
      return "Z (zombie)";
    case 'X':
      return "X (dead)";
    default:
      return "S (sleeping)";
  }
}

// The terminal as stat's tty_nr has it.
int32_t TtyNumber(uint64_t device) {
  const uint32_t minor = DeviceMinor(device);
  return int32_t((minor & 0xff) | DeviceMajor(device) << 8 | (minor & ~0xffu) << 12);
}

Result<void> ShowStat(const ProcRequest& request, TextSink& out) {
  const ProcFacts f = TRY(request.source.Facts(request.id));
  // Addresses tell others about the layout.
  const bool trusted = request.source.CheckInspect(request.id).ok();
  const auto& marks = f.landmarks;
  const auto address = [&](uint64_t value) { return trusted ? value : 0; };
  Write(out, f.pid, " (", f.name.view(), ") ", f.state, ' ', f.parent, ' ', f.group, ' ', f.session,
        ' ', TtyNumber(f.tty_device), ' ', f.tty_group, " 4194304 ", f.minor_faults, ' ',
        f.children_minor_faults, ' ', f.major_faults, ' ', f.children_major_faults, ' ');
  Write(out, f.user / kTick, ' ', f.system / kTick, ' ', f.children_user / kTick, ' ',
        f.children_system / kTick, ' ', f.policy == 0 ? 20 + f.nice : -1 - f.rt_priority, ' ',
        f.nice, ' ', f.threads, " 0 ", f.start_time / kTick, ' ', f.memory.total_bytes, ' ',
        f.resident_bytes / kPageSize, ' ', f.resident_limit, ' ');
  Write(out, address(marks.start_code), ' ', address(marks.end_code), ' ',
        address(marks.start_stack), " 0 0 ", f.pending & 0x7fffffff, ' ', f.blocked & 0x7fffffff,
        ' ', f.ignored & 0x7fffffff, ' ', f.caught & 0x7fffffff, " 0 0 0 ", f.exit_signal, " 0 ",
        f.rt_priority, ' ', f.policy, " 0 0 0 ");
  Write(out, address(marks.start_data), ' ', address(marks.end_data), ' ', address(marks.start_brk),
        ' ', address(marks.arg_start), ' ', address(marks.arg_end), ' ', address(marks.env_start),
        ' ', address(marks.env_end), ' ', trusted ? f.exit_code : 0, '\n');
  return {};
}

void ShowKilobytes(TextSink& out, std::string_view name, uint64_t bytes) {
  Write(out, name, ":\t", Pad{int64_t(bytes / 1024), 8}, " kB\n");
}

void ShowMemory(const ProcFacts& f, TextSink& out) {
  ShowKilobytes(out, "VmPeak", f.memory.peak_bytes);
  ShowKilobytes(out, "VmSize", f.memory.total_bytes);
  ShowKilobytes(out, "VmLck", f.memory.locked_bytes);
  ShowKilobytes(out, "VmPin", 0);
  ShowKilobytes(out, "VmHWM", f.resident_bytes);
  ShowKilobytes(out, "VmRSS", f.resident_bytes);
  const uint64_t anonymous = std::min(f.resident_bytes, f.memory.data_bytes);
  const uint64_t shared = std::min(f.resident_bytes - anonymous, f.memory.shared_bytes);
  ShowKilobytes(out, "RssAnon", anonymous);
  ShowKilobytes(out, "RssFile", f.resident_bytes - anonymous - shared);
  ShowKilobytes(out, "RssShmem", shared);
  ShowKilobytes(out, "VmData", f.memory.data_bytes);
  ShowKilobytes(out, "VmStk", f.memory.stack_bytes);
  const uint64_t program = f.landmarks.end_code - f.landmarks.start_code;
  ShowKilobytes(out, "VmExe", program);
  ShowKilobytes(out, "VmLib", f.memory.code_bytes - std::min(f.memory.code_bytes, program));
  ShowKilobytes(out, "VmPTE", f.resident_bytes / 512);
  ShowKilobytes(out, "VmSwap", 0);
  Write(out, "HugetlbPages:\t       0 kB\nCoreDumping:\t0\nTHP_enabled:\t0\n");
}

void ShowCredentials(const Credentials& c, TextSink& out) {
  Write(out, "Uid:\t", c.uid, '\t', c.euid, '\t', c.suid, '\t', c.fsuid, '\n');
  Write(out, "Gid:\t", c.gid, '\t', c.egid, '\t', c.sgid, '\t', c.fsgid, '\n');
}

uint64_t Processors() {
  const unsigned count = hal::CpuCount();
  return count >= 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1;
}

Result<void> ShowStatus(const ProcRequest& request, TextSink& out) {
  const ProcFacts f = TRY(request.source.Facts(request.id));
  const Credentials& c = *f.credentials;
  Write(out, "Name:\t", f.name.view(), "\nUmask:\t0", Octal{f.umask, 3}, "\nState:\t",
        StateName(f.state), "\nTgid:\t", f.thread_group, "\nNgid:\t0\nPid:\t", f.pid, "\nPPid:\t",
        f.parent, "\nTracerPid:\t0\n");
  ShowCredentials(c, out);
  Write(out, "FDSize:\t", f.descriptors, "\nGroups:\t");
  for (uint32_t group : c.groups) Write(out, group, ' ');
  Write(out, "\nNStgid:\t", f.thread_group, "\nNSpid:\t", f.pid, "\nNSpgid:\t", f.group,
        "\nNSsid:\t", f.session, '\n');
  if (f.has_memory) ShowMemory(f, out);
  Write(out, "Threads:\t", f.threads, "\nSigQ:\t", f.queued_signals, '/', f.queued_signals_limit,
        "\nSigPnd:\t", Hex{f.pending, 16}, "\nShdPnd:\t", Hex{f.shared_pending, 16}, "\nSigBlk:\t",
        Hex{f.blocked, 16}, "\nSigIgn:\t", Hex{f.ignored, 16}, "\nSigCgt:\t", Hex{f.caught, 16});
  Write(out, "\nCapInh:\t", Hex{c.cap_inheritable, 16}, "\nCapPrm:\t", Hex{c.cap_permitted, 16},
        "\nCapEff:\t", Hex{c.cap_effective, 16}, "\nCapBnd:\t", Hex{c.cap_bounding, 16},
        "\nCapAmb:\t", Hex{c.cap_ambient, 16}, "\nNoNewPrivs:\t", int(f.no_new_privs),
        "\nSeccomp:\t0\nSeccomp_filters:\t0\nSpeculation_Store_Bypass:\tnot vulnerable\n");
  const uint64_t affinity = f.affinity & Processors();
  Write(out, "Cpus_allowed:\t", Hex{affinity}, "\nCpus_allowed_list:\t");
  WriteRanges(out, affinity);
  Write(out, "\nMems_allowed:\t1\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t",
        f.voluntary_switches, "\nnonvoluntary_ctxt_switches:\t", f.involuntary_switches, '\n');
  return {};
}

Result<void> ShowStatm(const ProcRequest& request, TextSink& out) {
  const ProcFacts f = TRY(request.source.Facts(request.id));
  const auto pages = [](uint64_t bytes) { return bytes / kPageSize; };
  Write(out, pages(f.memory.total_bytes), ' ', pages(f.resident_bytes), ' ',
        pages(std::min(f.resident_bytes, f.memory.shared_bytes)), ' ', pages(f.memory.code_bytes),
        " 0 ", pages(f.memory.data_bytes + f.memory.stack_bytes), " 0\n");
  return {};
}

Result<void> ShowLimits(const ProcRequest& request, TextSink& out) {
  static constexpr struct {
    std::string_view name, unit;
  } kLimits[ProcSource::kLimitCount] = {
      {"Max cpu time", "seconds"},     {"Max file size", "bytes"},
      {"Max data size", "bytes"},      {"Max stack size", "bytes"},
      {"Max core file size", "bytes"}, {"Max resident set", "bytes"},
      {"Max processes", "processes"},  {"Max open files", "files"},
      {"Max locked memory", "bytes"},  {"Max address space", "bytes"},
      {"Max file locks", "locks"},     {"Max pending signals", "signals"},
      {"Max msgqueue size", "bytes"},  {"Max nice priority", ""},
      {"Max realtime priority", ""},   {"Max realtime timeout", "us"},
  };
  const auto value = [&](uint64_t limit) {
    if (limit == ~uint64_t{0}) {
      Write(out, PadText{"unlimited", -20}, ' ');
    } else {
      Write(out, PadText{TextBuffer<24>(limit).view(), -20}, ' ');
    }
  };
  Write(out, "Limit                     Soft Limit           Hard Limit           Units     \n");
  for (unsigned i = 0; i < ProcSource::kLimitCount; i++) {
    const ProcLimit limit = TRY(request.source.Limit(request.id, i));
    Write(out, PadText{kLimits[i].name, -25}, ' ');
    value(limit.soft);
    value(limit.hard);
    Write(out, PadText{kLimits[i].unit, -10}, '\n');
  }
  return {};
}

template <ProcText kWhich>
Result<void> ShowText(const ProcRequest& request, TextSink& out) {
  out.Append(TRY(request.source.Text(request.id, kWhich)).view());
  return {};
}

template <ProcPlace kWhich>
Result<Path> FollowPlace(const ProcRequest& request) {
  return request.source.Place(request.id, kWhich);
}

Result<void> ShowName(const ProcRequest& request, TextSink& out) {
  Write(out, TRY(request.source.Facts(request.id)).name.view(), '\n');
  return {};
}
Result<void> StoreName(const ProcRequest& request, std::string_view text) {
  return request.source.SetName(request.id, text);
}

Result<void> ShowOomScoreAdj(const ProcRequest& request, TextSink& out) {
  Write(out, TRY(request.source.Facts(request.id)).oom_score_adj, '\n');
  return {};
}
Result<void> StoreOomScoreAdj(const ProcRequest& request, std::string_view text) {
  const bool negative = !text.empty() && text.front() == '-';
  const ParsedNumber number = ParseUnsigned(text.substr(negative));
  if (number.length == 0 || number.length != text.size() - negative || number.value > 1000)
    return Errno::kEINVAL;
  const int32_t value = int32_t(number.value);
  return request.source.SetOomScoreAdj(request.id, negative ? -value : value);
}
// oom_score_adj of old: from -17, which means never, to 15.
constexpr int32_t kOomAdjNever = -17, kOomAdjMost = 15, kOomScoreMost = 1000;
Result<void> ShowOomAdj(const ProcRequest& request, TextSink& out) {
  const int32_t score = TRY(request.source.Facts(request.id)).oom_score_adj;
  const int32_t value = score * -kOomAdjNever / kOomScoreMost;
  Write(out, score == kOomScoreMost ? kOomAdjMost : value, '\n');
  return {};
}
Result<void> StoreOomAdj(const ProcRequest& request, std::string_view text) {
  const bool negative = !text.empty() && text.front() == '-';
  const ParsedNumber number = ParseUnsigned(text.substr(negative));
  if (number.length == 0 || number.length != text.size() - negative || number.value > 17)
    return Errno::kEINVAL;
  const int32_t value = negative ? -int32_t(number.value) : int32_t(number.value);
  if (value > kOomAdjMost) return Errno::kEINVAL;
  return request.source.SetOomScoreAdj(
      request.id, value == kOomAdjMost ? kOomScoreMost : value * kOomScoreMost / -kOomAdjNever);
}
// How likely it is to be chosen: its share of the memory, moved by oom_score_adj (proc(5)).
Result<void> ShowOomScore(const ProcRequest& request, TextSink& out) {
  const ProcFacts f = TRY(request.source.Facts(request.id));
  const uint64_t total = std::max<uint64_t>(hal::TotalRam(), 1);
  const int64_t share = int64_t(f.resident_bytes * 1000 / total);
  Write(out, std::max<int64_t>((share + f.oom_score_adj) * 2 / 3 + 666, 0), '\n');
  return {};
}

Result<void> ShowSched(const ProcRequest& request, TextSink& out) {
  const ProcFacts f = TRY(request.source.Facts(request.id));
  const auto milliseconds = [](Nanoseconds time) { return time / 1'000'000; };
  const TextBuffer<64> title(f.name.view(), " (", f.pid, ", #threads: ", f.threads, ")");
  Write(out, title.view(),
        "\n-------------------------------------------------------------------\n");
  Write(out, "se.exec_start                                : ", Pad{milliseconds(f.start_time), 20},
        '\n');
  Write(out,
        "se.sum_exec_runtime                          : ", Pad{milliseconds(f.user + f.system), 20},
        '\n');
  Write(out, "nr_switches                                  : ",
        Pad{int64_t(f.voluntary_switches + f.involuntary_switches), 20}, '\n');
  Write(out, "policy                                       : ", Pad{f.policy, 20}, '\n');
  Write(out, "prio                                         : ", Pad{120 + f.nice, 20}, '\n');
  return {};
}

Result<void> ShowSchedStat(const ProcRequest& request, TextSink& out) {
  const ProcFacts f = TRY(request.source.Facts(request.id));
  Write(out, f.user + f.system, " 0 ", f.voluntary_switches + f.involuntary_switches, '\n');
  return {};
}

// Nothing is counted as read from or written to a medium: files lie in memory, or the host moves
// their contents in its own time.
Result<void> ShowIo(const ProcRequest& request, TextSink& out) {
  const ProcFacts f = TRY(request.source.Facts(request.id));
  Write(out, "rchar: ", f.read_bytes, "\nwchar: ", f.written_bytes, "\nsyscr: ", f.read_calls,
        "\nsyscw: ", f.write_calls, "\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n");
  return {};
}

Result<void> ShowSyscall(const ProcRequest& request, TextSink& out) {
  const ProcFacts f = TRY(request.source.Facts(request.id));
  if (f.syscall < 0 || f.state == 'R') {
    Write(out, "running\n");
  } else {
    Write(out, f.syscall, " 0x0 0x0 0x0 0x0 0x0 0x0 0x0 0x0\n");
  }
  return {};
}

Result<void> ShowPersonality(const ProcRequest& request, TextSink& out) {
  Write(out, Hex{TRY(request.source.Facts(request.id)).personality, 8}, '\n');
  return {};
}

template <ProcNumber kWhich>
Result<void> ShowNumber(const ProcRequest& request, TextSink& out) {
  Write(out, TRY(request.source.Number(request.id, kWhich)));
  // These two were never ended with a newline.
  constexpr bool kBare = kWhich == ProcNumber::kLoginUser || kWhich == ProcNumber::kLoginSession;
  if (!kBare) out.Append("\n");
  return {};
}
template <ProcNumber kWhich>
Result<void> StoreNumber(const ProcRequest& request, std::string_view text) {
  const ParsedNumber number = ParseUnsigned(text);
  if (number.length == 0 || number.length != text.size()) return Errno::kEINVAL;
  return request.source.SetNumber(request.id, kWhich, number.value);
}

Result<void> ShowCoredumpFilter(const ProcRequest& request, TextSink& out) {
  Write(out, Hex{TRY(request.source.Number(request.id, ProcNumber::kCoredumpFilter)), 8}, '\n');
  return {};
}
// In hexadecimal, octal or decimal, as C writes them.
Result<void> StoreCoredumpFilter(const ProcRequest& request, std::string_view text) {
  unsigned base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.starts_with('0') && text.size() > 1) {
    base = 8;
  }
  if (text.empty()) return Errno::kEINVAL;
  uint64_t value = 0;
  for (char c : text) {
    const unsigned digit =
        c >= '0' && c <= '9' ? unsigned(c - '0') : unsigned((c | 0x20) - 'a' + 10);
    if ((c < '0' || c > '9') && ((c | 0x20) < 'a' || (c | 0x20) > 'f')) return Errno::kEINVAL;
    if (digit >= base) return Errno::kEINVAL;
    value = value * base + digit;
    if (value > UINT32_MAX) return Errno::kERANGE;
  }
  return request.source.SetNumber(request.id, ProcNumber::kCoredumpFilter, value);
}

Result<void> ShowNothing(const ProcRequest&, TextSink&) { return {}; }

// No security module labels processes.
Result<void> ShowLabel(const ProcRequest&, TextSink&) { return Errno::kEINVAL; }

// Nothing that it would reset is kept; the rest is the choice of what.
Result<void> StoreClearRefs(const ProcRequest& request, std::string_view text) {
  const ParsedNumber number = ParseUnsigned(text);
  if (number.length == 0 || number.length != text.size()) return Errno::kEINVAL;
  if (number.value < 1 || number.value > 5) return Errno::kEINVAL;
  TRY(request.source.Facts(request.id));
  return {};
}

// The statistics that a write would reset are those of the whole life.
Result<void> StoreSched(const ProcRequest&, std::string_view) { return {}; }

// There is one user namespace, the first one: its maps are set for good.
constexpr std::string_view kWholeIdMap = "         0          0 4294967295";
Result<void> StoreIdMap(const ProcRequest&, std::string_view) { return Errno::kEPERM; }
Result<void> StoreSetGroups(const ProcRequest&, std::string_view text) {
  if (text == "allow") return {};
  return text == "deny" ? Errno::kEPERM : Errno::kEINVAL;
}

constexpr ProcEntry kEntries[] = {
    {.path = "attr/current", .mode = kFile | 0666, .show = ShowLabel},
    {.path = "auxv",
     .mode = kFile | 0400,
     .show = ShowText<ProcText::kAuxiliaryVector>,
     .restricted = true},
    {.path = "cgroup", .constant = "0::/"},
    {.path = "clear_refs", .mode = kFile | 0200, .show = ShowNothing, .store = StoreClearRefs},
    {.path = "cmdline", .show = ShowText<ProcText::kCommandLine>},
    {.path = "comm", .mode = kFile | 0644, .show = ShowName, .store = StoreName},
    {.path = "coredump_filter",
     .mode = kFile | 0644,
     .show = ShowCoredumpFilter,
     .store = StoreCoredumpFilter},
    {.path = "cpuset", .constant = "/"},
    {.path = "cwd",
     .mode = kLink,
     .follow = FollowPlace<ProcPlace::kWorkingDirectory>,
     .restricted = true},
    {.path = "environ",
     .mode = kFile | 0400,
     .show = ShowText<ProcText::kEnvironment>,
     .restricted = true},
    {.path = "exe",
     .mode = kLink,
     .follow = FollowPlace<ProcPlace::kExecutable>,
     .restricted = true},
    {.path = "gid_map", .mode = kFile | 0644, .constant = kWholeIdMap, .store = StoreIdMap},
    {.path = "io", .mode = kFile | 0400, .show = ShowIo, .restricted = true},
    {.path = "limits", .show = ShowLimits},
    {.path = "loginuid",
     .mode = kFile | 0644,
     .show = ShowNumber<ProcNumber::kLoginUser>,
     .store = StoreNumber<ProcNumber::kLoginUser>},
    {.path = "maps", .show = ShowMaps, .restricted = true, .ioctl = QueryMaps},
    {.path = "mountinfo", .show = ShowMountInfo, .changes = MountChanges},
    {.path = "mounts", .show = ShowMounts, .changes = MountChanges},
    {.path = "mountstats", .mode = kFile | 0400, .show = ShowMountStats, .restricted = true},
    {.path = "net/arp",
     .constant = "IP address       HW type     Flags       HW address            Mask     Device"},
    {.path = "net/dev",
     .constant = "Inter-|   Receive                                                |  Transmit\n"
                 " face |bytes    packets errs drop fifo frame compressed multicast|bytes    "
                 "packets errs drop fifo colls carrier compressed"},
    {.path = "net/if_inet6", .show = ShowNothing},
    {.path = "net/raw",
     .constant = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   "
                 "uid  timeout inode ref pointer drops"},
    {.path = "net/route",
     .constant = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\t"
                 "IRTT"},
    {.path = "net/sockstat",
     .constant = "sockets: used 0\nTCP: inuse 0 orphan 0 tw 0 alloc 0 "
                 "mem 0\nUDP: inuse 0 mem 0"},
    {.path = "net/tcp",
     .constant = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   "
                 "uid  timeout inode"},
    {.path = "net/tcp6",
     .constant = "  sl  local_address                         remote_address                     "
                 "   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"},
    {.path = "net/udp",
     .constant = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   "
                 "uid  timeout inode ref pointer drops"},
    {.path = "net/udp6",
     .constant = "  sl  local_address                         remote_address                     "
                 "   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer "
                 "drops"},
    {.path = "net/unix", .show = ShowUnixSockets},
    // There is one namespace of each kind; the numbers are those of Linux's initial ones.
    {.path = "ns/cgroup", .mode = kLink, .constant = "cgroup:[4026531835]"},
    {.path = "ns/ipc", .mode = kLink, .constant = "ipc:[4026531839]"},
    {.path = "ns/mnt", .mode = kLink, .constant = "mnt:[4026531841]"},
    {.path = "ns/net", .mode = kLink, .constant = "net:[4026531840]"},
    {.path = "ns/pid", .mode = kLink, .constant = "pid:[4026531836]"},
    {.path = "ns/pid_for_children", .mode = kLink, .constant = "pid:[4026531836]"},
    {.path = "ns/time", .mode = kLink, .constant = "time:[4026531834]"},
    {.path = "ns/user", .mode = kLink, .constant = "user:[4026531837]"},
    {.path = "ns/uts", .mode = kLink, .constant = "uts:[4026531838]"},
    {.path = "oom_adj", .mode = kFile | 0644, .show = ShowOomAdj, .store = StoreOomAdj},
    {.path = "oom_score", .show = ShowOomScore},
    {.path = "oom_score_adj",
     .mode = kFile | 0644,
     .show = ShowOomScoreAdj,
     .store = StoreOomScoreAdj},
    {.path = "personality", .mode = kFile | 0400, .show = ShowPersonality, .restricted = true},
    {.path = "root", .mode = kLink, .follow = FollowPlace<ProcPlace::kRoot>, .restricted = true},
    {.path = "sched", .mode = kFile | 0644, .show = ShowSched, .store = StoreSched},
    {.path = "schedstat", .show = ShowSchedStat},
    {.path = "sessionid", .show = ShowNumber<ProcNumber::kLoginSession>},
    {.path = "setgroups", .mode = kFile | 0644, .constant = "allow", .store = StoreSetGroups},
    {.path = "smaps", .show = ShowSmaps, .restricted = true},
    {.path = "smaps_rollup", .show = ShowSmapsRollup, .restricted = true},
    {.path = "stat", .show = ShowStat},
    {.path = "statm", .show = ShowStatm},
    {.path = "status", .show = ShowStatus},
    {.path = "syscall", .mode = kFile | 0400, .show = ShowSyscall, .restricted = true},
    {.path = "timerslack_ns",
     .mode = kFile | 0666,
     .show = ShowNumber<ProcNumber::kTimerSlack>,
     .store = StoreNumber<ProcNumber::kTimerSlack>},
    {.path = "uid_map", .mode = kFile | 0644, .constant = kWholeIdMap, .store = StoreIdMap},
    {.path = "wchan", .constant = "0"},  // as for those who may not know the kernel's addresses
};

}  // namespace

constinit const ProcTable kProcessEntries = kEntries;

}  // namespace zrun::vfs
