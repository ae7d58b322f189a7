#include "compat/proc_source.h"

#include "compat/inspect.h"
#include "compat/load_average.h"
#include "compat/sysv_ipc.h"
#include "compat/task.h"
#include "vfs/namei.h"
#include "vfs/tty/job_control.h"

namespace zrun::compat {
namespace {

using vfs::Path;
using vfs::ProcFacts;
using vfs::ProcId;

// A process and one of its threads: the one asked for, or any if the process as a whole is meant.
// A zombie's is the one that has ended.
struct Member {
  RefPtr<ThreadGroup> group;
  RefPtr<Task> task;
};

Result<Member> FindMember(ProcId id) {
  Member member;
  {
    MutexLock lock(Kernel::Get().lock());
    PidTable& pids = Kernel::Get().pids();
    member.group = RefPtr<ThreadGroup>(pids.FindGroup(id.pid));
    if (!member.group) return Errno::kESRCH;
    if (id.tid != 0) {
      Task* task = pids.FindTask(id.tid);
      if (!task || &task->group() != member.group.get()) return Errno::kESRCH;
      member.task = RefPtr<Task>(task);
      return member;
    }
    member.task = member.group->remains;
  }
  if (auto task = member.group->AnyTask()) member.task = std::move(task);
  if (!member.task) return Errno::kESRCH;
  return member;
}

Result<Member> FindLive(ProcId id) {
  Member member = TRY(FindMember(id));
  if (!member.task->ShareMemoryContext()) return Errno::kESRCH;
  return member;
}

// ---- The parts of ProcFacts, each under the lock that guards it.

// Who it is among others.
Result<void> FillTree(ThreadGroup& group, ProcFacts& facts) {
  MutexLock lock(Kernel::Get().lock());
  if (!group.process_group) return Errno::kESRCH;
  facts.thread_group = group.pid();
  facts.parent = group.parent ? group.parent->pid() : 0;
  facts.group = group.process_group->id;
  facts.session = group.session().id;
  facts.exit_signal = group.exit_signal;
  facts.exit_code = group.exit_status;
  if (group.is_zombie) {
    facts.state = 'Z';
    facts.user = group.final_usage.user;
    facts.system = group.final_usage.system;
  }
  if (group.reaps_by_itself) {
    facts.state = 'S';
  }
  facts.children_user = group.children_usage.user;
  facts.children_system = group.children_usage.system;
  facts.children_minor_faults = group.children_usage.minor_faults;
  facts.children_major_faults = group.children_usage.major_faults;
  return {};
}

void FillSignals(ThreadGroup& group, Task& task, ProcFacts& facts) {
  MutexLock lock(group.signal_lock);
  facts.shared_pending = group.shared_queue.pending().bits();
  facts.ignored = group.actions->ignored().bits();
  facts.caught = group.actions->caught().bits();
  int threads = 0;
  for (Task& member : group.tasks) {
    static_cast<void>(member);
    threads++;
  }
  facts.threads = std::max(threads, 1);
  facts.pending = task.signal_state().queue.pending().bits();
  facts.blocked = task.signal_state().mask.bits();
  if (group.is_stopped && facts.state != 'Z') facts.state = 'T';
}

void FillUsage(const Usage& usage, ProcFacts& facts) {
  facts.user = usage.user;
  facts.system = usage.system;
  facts.minor_faults = usage.minor_faults;
  facts.major_faults = usage.major_faults;
  facts.voluntary_switches = usage.voluntary_switches;
  facts.involuntary_switches = usage.involuntary_switches;
  facts.read_bytes = usage.read_bytes;
  facts.written_bytes = usage.written_bytes;
  facts.read_calls = usage.read_calls;
  facts.write_calls = usage.write_calls;
}

// Of those it has waited for.
void AddChildrensIo(ThreadGroup& group, ProcFacts& facts) {
  MutexLock lock(Kernel::Get().lock());
  const Usage& children = group.children_usage;
  facts.read_bytes += children.read_bytes;
  facts.written_bytes += children.written_bytes;
  facts.read_calls += children.read_calls;
  facts.write_calls += children.write_calls;
}

void FillMemory(Task& task, ProcFacts& facts) {
  const auto memory = task.ShareMemoryContext();
  if (!memory) return;
  facts.has_memory = true;
  facts.memory = memory->region().totals();
  facts.landmarks = memory->region().landmarks();
  // The machine alone knows which private pages were touched: what could be is counted.
  facts.resident_bytes =
      std::min(facts.memory.total_bytes,
               facts.memory.data_bytes + facts.memory.code_bytes + facts.memory.stack_bytes);
}

void FillTask(Task& task, ProcFacts& facts) {
  facts.name = TextBuffer<16>(task.name().view());
  if (facts.state == 'R') facts.state = task.state();
  if (&task == Thread::Current() && facts.state != 'Z') facts.state = 'R';
  facts.nice = task.nice.load();
  facts.policy = task.policy.load();
  facts.rt_priority = task.rt_priority.load();
  facts.credentials = task.credentials();
  facts.no_new_privs = task.no_new_privs.load();
  facts.affinity = task.affinity.load();
  facts.personality = task.personality.load();
  facts.syscall = task.syscall_number;
  if (const auto fs = task.ShareFs()) facts.umask = fs->umask();
  if (const auto fds = task.ShareFds())
    facts.descriptors = std::max<uint64_t>(std::bit_ceil(fds->capacity()), 64);
  if (task.account) facts.queued_signals = task.account->pending_signals.load();
}

class KernelProcSource final : public vfs::ProcSource {
 public:
  ProcId Current() override {
    Task& task = Task::Current();
    return {task.group().pid(), task.tid()};
  }

  int32_t NextProcess(int32_t from) override {
    MutexLock lock(Kernel::Get().lock());
    return Kernel::Get().pids().NextGroup(from);
  }

  int32_t NextThread(int32_t pid, int32_t from) override {
    const auto member = FindMember({pid, 0});
    if (!member.ok()) return -1;
    ThreadGroup& group = *member.value().group;
    int32_t next = -1;
    MutexLock lock(Kernel::Get().lock());
    if (group.remains && pid >= from) next = pid;
    MutexLock signal_lock(group.signal_lock);
    for (Task& task : group.tasks) {
      const int32_t tid = task.tid();
      if (tid >= from && (next < 0 || tid < next)) next = tid;
    }
    return next;
  }

  int32_t NextChild(ProcId id, int32_t from) override {
    MutexLock lock(Kernel::Get().lock());
    ThreadGroup* const group = Kernel::Get().pids().FindGroup(id.pid);
    int32_t next = -1;
    if (!group) return next;
    for (ThreadGroup& child : group->children) {
      const int32_t pid = child.pid();
      if (child.parent_tid == id.tid && pid >= from && (next < 0 || pid < next)) next = pid;
    }
    return next;
  }

  Result<ProcId> Find(int32_t number) override {
    MutexLock lock(Kernel::Get().lock());
    PidTable& pids = Kernel::Get().pids();
    if (pids.FindGroup(number)) return ProcId{number, 0};
    if (Task* task = pids.FindTask(number)) return ProcId{task->group().pid(), number};
    return Errno::kENOENT;
  }

  bool Exists(ProcId id) override { return FindMember(id).ok(); }

  Result<ProcFacts> Facts(ProcId id) override {
    const Member member = TRY(FindMember(id));
    ThreadGroup& group = *member.group;
    ProcFacts facts;
    facts.pid = id.number();
    facts.start_time = group.start_time() + (hal::BoottimeNow() - hal::MonotonicNow());
    TRY(FillTree(group, facts));
    if (facts.state == 'R') {
      FillUsage(id.tid && member.task ? member.task->usage() : group.usage(), facts);
      if (id.tid == 0) AddChildrensIo(group, facts);
      // A leader that has ended before its threads is one, too.
      MutexLock lock(group.signal_lock);
      if (!group.leader && (id.tid == 0 || id.tid == id.pid)) facts.state = 'Z';
    }
    FillTask(*member.task, facts);
    FillMemory(*member.task, facts);
    FillSignals(group, *member.task, facts);
    const auto terminal = vfs::FindSessionTerminal(facts.session);
    facts.tty_device = terminal.device;
    facts.tty_group = terminal.device ? terminal.foreground_group : -1;
    facts.oom_score_adj = group.oom_score_adj.load();
    facts.resident_limit = group.limits().soft(compat::Limit::kRss);
    facts.queued_signals_limit = group.limits().soft(compat::Limit::kPendingSignals);
    return facts;
  }

  vfs::Ownership Owner(ProcId id) override {
    const auto member = FindMember(id);
    if (!member.ok()) return {};
    Task& task = *member.value().task;
    const auto memory = task.ShareMemoryContext();
    // What nobody may look into belongs to root (prctl(2), PR_SET_DUMPABLE).
    if (!memory || memory->dumpable.load() != 1) return {};
    const auto credentials = task.credentials();
    return {0, credentials->euid, credentials->egid};
  }

  Result<void> CheckInspect(ProcId id) override {
    const Member member = TRY(FindMember(id));
    Task& reader = Task::Current();
    if (&reader.group() == member.group.get()) return {};
    const auto own = reader.credentials();
    if (own->Has(vfs::Capability::kSysPtrace)) return {};
    const auto other = member.task->credentials();
    const bool same_user = own->fsuid == other->uid && own->fsuid == other->euid &&
                           own->fsuid == other->suid && own->fsgid == other->gid &&
                           own->fsgid == other->egid && own->fsgid == other->sgid;
    const auto memory = member.task->ShareMemoryContext();
    const bool dumpable = !memory || memory->dumpable.load() == 1;
    const bool no_more_rights = (other->cap_permitted & ~own->cap_permitted) == 0;
    if (!same_user || !dumpable || !no_more_rights) return Errno::kEACCES;
    return {};
  }

  Result<RefPtr<VmAddressRegion>> Memory(ProcId id) override {
    const Member member = TRY(FindMember(id));
    const auto memory = member.task->ShareMemoryContext();
    if (!memory) return RefPtr<VmAddressRegion>();
    return RefPtr<VmAddressRegion>(memory->region_ref());
  }

  Result<size_t> ReadMemory(ProcId id, VmAddressRegion& region, uint64_t address,
                            std::span<std::byte> bytes) override {
    const auto user = FindUser(id, region);
    return user ? ReadMemoryOf(Task::Current(), *user, address, bytes) : size_t{0};
  }
  Result<size_t> WriteMemory(ProcId id, VmAddressRegion& region, uint64_t address,
                             std::span<const std::byte> bytes) override {
    const auto user = FindUser(id, region);
    return user ? WriteMemoryOf(Task::Current(), *user, address, bytes) : size_t{0};
  }

  Result<void> Residency(ProcId id, VmAddressRegion& region, hal::VirtRange range,
                         std::span<uint8_t> out) override {
    const auto user = FindUser(id, region);
    if (!user) return Errno::kESRCH;
    return ResidencyOf(Task::Current(), *user, range, out);
  }

  Result<String> Text(ProcId id, vfs::ProcText which) override {
    const Member member = TRY(FindMember(id));
    const auto memory = member.task->ShareMemoryContext();
    if (!memory) return String();
    if (which == vfs::ProcText::kAuxiliaryVector) {
      const auto words = std::as_bytes(std::span(memory->auxv).first(memory->auxv_size));
      return String::Create({reinterpret_cast<const char*>(words.data()), words.size()});
    }
    const bool arguments = which == vfs::ProcText::kCommandLine;
    if (IsOwnMemory(memory->region())) return ReadOwnText(memory->region(), arguments);
    const auto text = memory->program_text();
    if (!text) return String();
    return (arguments ? text->arguments : text->environment).Clone();
  }

  Result<Path> Place(ProcId id, vfs::ProcPlace which) override {
    const Member member = TRY(FindMember(id));
    if (which == vfs::ProcPlace::kExecutable) {
      const auto memory = member.task->ShareMemoryContext();
      const auto file = memory ? memory->executable() : nullptr;
      if (!file) return Errno::kENOENT;
      return Path(file->path());
    }
    const auto fs = member.task->ShareFs();
    if (!fs) return Errno::kENOENT;
    return which == vfs::ProcPlace::kRoot ? fs->root() : fs->cwd();
  }

  Result<RefPtr<vfs::MountNamespace>> Mounts(ProcId id) override {
    const Member member = TRY(FindMember(id));
    const auto fs = member.task->ShareFs();
    if (!fs) return Errno::kEINVAL;
    return RefPtr<vfs::MountNamespace>(&fs->mounts());
  }

  int NextFd(ProcId id, int from) override {
    const auto member = FindLive(id);
    const auto fds = member.ok() ? member.value().task->ShareFds() : nullptr;
    return fds ? fds->NextOpen(from) : -1;
  }

  Result<vfs::ProcFile> File(ProcId id, int fd) override {
    const Member member = TRY(FindLive(id));
    const auto fds = member.task->ShareFds();
    if (!fds) return Errno::kENOENT;
    auto file = fds->Get(Fd{fd}, Rights::kNone, true);
    if (!file.ok()) return Errno::kENOENT;
    const auto close_on_exec = fds->close_on_exec(Fd{fd});
    return vfs::ProcFile{std::move(file).value(), close_on_exec.ok() && close_on_exec.value()};
  }

  Result<vfs::ProcLimit> Limit(ProcId id, unsigned which) override {
    static_assert(kLimitCount == compat::kLimitCount);
    const Member member = TRY(FindMember(id));
    const LimitValue value = member.group->limits().Get(compat::Limit(which));
    return vfs::ProcLimit{value.soft, value.hard};
  }

  Result<String> NameOf(const Path& path, bool if_reachable) override {
    FsContext& fs = Task::Current().fs();
    return vfs::NameOf(path, fs.root(), fs.mounts(),
                       if_reachable ? vfs::IfUnreachable::kNoName : vfs::IfUnreachable::kFullPath);
  }

  Result<uint64_t> Number(ProcId id, vfs::ProcNumber which) override {
    const Member member = TRY(FindMember(id));
    switch (which) {
      case vfs::ProcNumber::kLoginUser:
        return uint64_t{member.group->login_user.load()};
      case vfs::ProcNumber::kLoginSession:
        return uint64_t{member.group->login_session.load()};
      case vfs::ProcNumber::kCoredumpFilter:
        return uint64_t{member.group->coredump_filter.load()};
      case vfs::ProcNumber::kTimerSlack:
        break;
    }
    if (member.task.get() != Thread::Current() && !Task::Current().Has(vfs::Capability::kSysNice))
      return Errno::kEPERM;
    return member.task->timer_slack.load();
  }

  Result<void> SetName(ProcId id, std::string_view name) override {
    const Member member = TRY(FindLive(id));
    if (&member.task->group() != &Task::Current().group()) return Errno::kEINVAL;
    member.task->SetName(name.substr(0, 15));
    return {};
  }

  Result<void> SetLastPid(int32_t number) override {
    if (!Task::Current().Has(vfs::Capability::kSysAdmin)) return Errno::kEPERM;
    if (number >= PidTable::kMaxPid) return Errno::kEINVAL;
    MutexLock lock(Kernel::Get().lock());
    Kernel::Get().pids().SetLast(number);
    return {};
  }

  Result<void> SetOomScoreAdj(ProcId id, int32_t value) override {
    const Member member = TRY(FindMember(id));
    const bool lower = value < member.group->oom_score_adj.load();
    if (lower && !Task::Current().Has(vfs::Capability::kSysResource)) return Errno::kEACCES;
    member.group->oom_score_adj.store(value);
    return {};
  }

  Result<void> SetNumber(ProcId id, vfs::ProcNumber which, uint64_t value) override {
    constexpr uint64_t kAllKinds = 0x1ff;  // of mappings, core(5)
    const Member member = TRY(FindMember(id));
    switch (which) {
      case vfs::ProcNumber::kLoginUser:
        return SetLoginUser(*member.group, value);
      case vfs::ProcNumber::kLoginSession:
        return Errno::kEPERM;
      case vfs::ProcNumber::kCoredumpFilter:
        member.group->coredump_filter.store(uint32_t(value & kAllKinds));
        return {};
      case vfs::ProcNumber::kTimerSlack:
        break;
    }
    if (member.task.get() != Thread::Current() && !Task::Current().Has(vfs::Capability::kSysNice))
      return Errno::kEPERM;
    member.task->timer_slack.store(value == 0 ? member.task->default_timer_slack.load() : value);
    return {};
  }

  vfs::SystemFacts System() override;

  TextBuffer<64> GetSystemName(vfs::ProcName which) override {
    return which == vfs::ProcName::kHost ? Kernel::Get().hostname() : Kernel::Get().domainname();
  }

  RefPtr<vfs::ChangeNotice> SystemNameChanges(vfs::ProcName which) override {
    using Uts = Kernel::Uts;
    return RefPtr<vfs::ChangeNotice>(Kernel::Get().uts_changes(
        which == vfs::ProcName::kHost ? Uts::kHostname : Uts::kDomainname));
  }

  Result<void> SetSystemName(vfs::ProcName which, std::string_view name) override {
    if (name.size() > 64) return Errno::kEINVAL;
    if (which == vfs::ProcName::kHost) {
      Kernel::Get().SetHostname(name);
    } else {
      Kernel::Get().SetDomainname(name);
    }
    return {};
  }

  std::string_view Release() override { return Kernel::kRelease; }
  void ShowIpc(vfs::ProcIpc which, TextSink& out) override {
    switch (which) {
      case vfs::ProcIpc::kSharedMemory:
        return ShowSharedMemory(out);
      case vfs::ProcIpc::kSemaphores:
        return ShowSemaphores(out);
      case vfs::ProcIpc::kMessageQueues:
        return ShowMessageQueues(out);
    }
  }

 private:
  static bool IsOwnMemory(VmAddressRegion& region) { return &Task::Current().region() == &region; }
  // A thread that has |region| for its memory: the reader, or one of |id|; null if that has gone
  // on.
  static RefPtr<Task> FindUser(ProcId id, VmAddressRegion& region) {
    if (IsOwnMemory(region)) return RefPtr<Task>(&Task::Current());
    const auto member = FindMember(id);
    if (!member.ok()) return nullptr;
    const auto memory = member.value().task->ShareMemoryContext();
    return memory && &memory->region() == &region ? member.value().task : nullptr;
  }
  // Who has logged in may say so once, of himself; more only whoever controls the audit.
  static Result<void> SetLoginUser(ThreadGroup& group, uint64_t user) {
    constexpr uint32_t kUnset = ~0u;
    if (user > UINT32_MAX) return Errno::kEINVAL;
    if (&group != &Task::Current().group()) return Errno::kEPERM;
    if (group.login_user.load() != kUnset && !Task::Current().Has(vfs::Capability::kAuditControl))
      return Errno::kEPERM;
    static constinit std::atomic<uint32_t> sessions{0};
    group.login_user.store(uint32_t(user));
    group.login_session.store(user == kUnset ? kUnset : sessions.fetch_add(1) + 1);
    return {};
  }
  // The reader's own: as it is now, for programs change their titles in place.
  static Result<String> ReadOwnText(VmAddressRegion& region, bool arguments) {
    const auto marks = region.landmarks();
    const uint64_t start = arguments ? marks.arg_start : marks.env_start;
    const uint64_t end = arguments ? marks.arg_end : marks.env_end;
    constexpr uint64_t kMost = 2 << 20;
    if (end <= start) return String();
    String text;
    TRY(text.Resize(std::min(end - start, kMost)));
    UserMemory memory(region);
    const auto bytes = std::as_writable_bytes(std::span(text.data(), text.size()));
    const auto copied = memory.CopyIn(bytes, UserPtr<const std::byte>(start));
    TRY(text.Resize(copied.ok() ? copied.value() : 0));
    return text;
  }
};

vfs::SystemFacts KernelProcSource::System() {
  Kernel& kernel = Kernel::Get();
  vfs::SystemFacts facts;
  facts.uptime = hal::BoottimeNow();
  facts.boot_realtime = hal::RealtimeNow() - facts.uptime;
  facts.forks = kernel.forks.load();
  facts.threads = kernel.threads.load();
  facts.switches = std::max(hal::SwitchCount(), kernel.sleeps.load());
  facts.load = GetLoadAverages();
  for (int32_t pid = 0;;) {
    RefPtr<ThreadGroup> group;
    {
      MutexLock lock(kernel.lock());
      facts.last_pid = kernel.pids().last();
      pid = kernel.pids().NextGroup(pid);
      if (pid < 0) break;
      group = RefPtr<ThreadGroup>(kernel.pids().FindGroup(pid++));
      facts.user += group->children_usage.user;
      facts.system += group->children_usage.system;
    }
    const hal::CpuTimes times = group->cpu_times();
    facts.user += times.user;
    facts.system += times.system;
    MutexLock lock(group->signal_lock);
    for (Task& task : group->tasks) facts.running += task.state() == 'R';
  }
  return facts;
}

constinit KernelProcSource proc_source;

}  // namespace

vfs::ProcSource& GetProcSource() { return proc_source; }

}  // namespace zrun::compat
