#pragma once
#include <array>

#include "base/text.h"
#include "objects/vm/vm_address_region.h"
#include "vfs/file_description.h"
#include "vfs/mount.h"

// What /proc tells, as the layer above knows it. It may be asked with no lock held only; a process
// that is gone gives ESRCH.
namespace zrun::vfs {

// A process (tid 0), or one of its threads.
struct ProcId {
  int32_t pid = 0;
  int32_t tid = 0;
  constexpr int32_t number() const { return tid ? tid : pid; }
};

struct ProcFacts {
  int32_t pid = 0;  // the thread's own number where one thread is asked about
  int32_t thread_group = 0;
  int32_t parent = 0, group = 0, session = 0;
  uint64_t tty_device = 0;
  int32_t tty_group = -1;
  TextBuffer<16> name;
  char state = 'R';  // R S D T Z
  int32_t threads = 0;
  hal::Nanoseconds user = 0, system = 0, children_user = 0, children_system = 0;
  hal::Nanoseconds start_time = 0;  // since boot
  uint64_t minor_faults = 0, major_faults = 0, children_minor_faults = 0, children_major_faults = 0;
  uint64_t voluntary_switches = 0, involuntary_switches = 0;
  // What went through read(2), write(2) and their like.
  uint64_t read_bytes = 0, written_bytes = 0, read_calls = 0, write_calls = 0;
  int32_t nice = 0, policy = 0, rt_priority = 0;
  uint64_t pending = 0, shared_pending = 0, blocked = 0, ignored = 0, caught = 0;
  uint64_t queued_signals = 0, queued_signals_limit = 0;
  RefPtr<const Credentials> credentials;
  uint32_t umask = 0;
  bool no_new_privs = false;
  uint64_t descriptors = 0;  // room for so many
  uint64_t affinity = 0;
  int32_t exit_signal = 0;
  int32_t exit_code = 0;
  int64_t syscall = -1;  // the call it is in; -1: none
  int32_t oom_score_adj = 0;
  uint32_t personality = 0;
  bool has_memory = false;  // false for zombies
  VmAddressRegion::Totals memory{};
  VmAddressRegion::Landmarks landmarks;
  uint64_t resident_bytes = 0, resident_limit = ~uint64_t{0};
};

struct ProcLimit {
  uint64_t soft, hard;
};

struct ProcFile {
  RefPtr<FileDescription> file;
  bool close_on_exec = false;
};

// What there is one of.
struct SystemFacts {
  hal::Nanoseconds boot_realtime = 0;  // when, on the real-time clock
  hal::Nanoseconds uptime = 0;
  uint64_t forks = 0;
  uint32_t threads = 0, running = 0;
  int32_t last_pid = 0;
  uint64_t switches = 0;  // of context
  // Over 1, 5 and 15 minutes; 1 << kLoadFractionBits is one thread.
  static constexpr unsigned kLoadFractionBits = 11;
  std::array<uint64_t, 3> load = {};
  hal::Nanoseconds user = 0, system = 0;  // processor time used by everybody
};

enum class ProcPlace : uint8_t { kExecutable, kWorkingDirectory, kRoot };
enum class ProcText : uint8_t { kCommandLine, kEnvironment, kAuxiliaryVector };
enum class ProcName : uint8_t { kHost, kDomain };
enum class ProcIpc : uint8_t { kSharedMemory, kSemaphores, kMessageQueues };

// Numbers of a process that it, or who may trace it, can set.
enum class ProcNumber : uint8_t { kLoginUser, kLoginSession, kTimerSlack, kCoredumpFilter };

class ProcSource {
 public:
  // ---- Who there is. The reader:
  virtual ProcId Current() = 0;
  // The lowest number >= |from|; -1 past the last.
  virtual int32_t NextProcess(int32_t from) = 0;
  virtual int32_t NextThread(int32_t pid, int32_t from) = 0;
  // By number, which may be a thread's; ENOENT.
  virtual Result<ProcId> Find(int32_t number) = 0;
  virtual bool Exists(ProcId id) = 0;
  // The lowest child >= |from| that the thread made; -1 past the last.
  virtual int32_t NextChild(ProcId id, int32_t from) = 0;

  // ---- What is known of one.
  virtual Result<ProcFacts> Facts(ProcId id) = 0;
  virtual Ownership Owner(ProcId id) = 0;
  // ptrace(2)'s access mode check: EACCES.
  virtual Result<void> CheckInspect(ProcId id) = 0;
  // Null if it has none any more.
  virtual Result<RefPtr<VmAddressRegion>> Memory(ProcId id) = 0;
  // Copies between |bytes| and |region|, which was the memory of |id| when it was asked for: how
  // many bytes, fewer at a hole (EFAULT if none). 0 once the process does without that memory.
  virtual Result<size_t> ReadMemory(ProcId id, VmAddressRegion& region, uint64_t address,
                                    std::span<std::byte> bytes) = 0;
  virtual Result<size_t> WriteMemory(ProcId id, VmAddressRegion& region, uint64_t address,
                                     std::span<const std::byte> bytes) = 0;
  // As mincore(2) tells of a part of one of its mappings: ENOMEM if it is not mapped any more,
  // ESRCH once the process does without that memory.
  virtual Result<void> Residency(ProcId id, VmAddressRegion& region, hal::VirtRange range,
                                 std::span<uint8_t> out) = 0;
  virtual Result<String> Text(ProcId id, ProcText which) = 0;
  virtual Result<Path> Place(ProcId id, ProcPlace which) = 0;
  virtual Result<RefPtr<MountNamespace>> Mounts(ProcId id) = 0;
  virtual int NextFd(ProcId id, int from) = 0;
  virtual Result<ProcFile> File(ProcId id, int fd) = 0;
  // RLIMIT_* by number; there are kLimitCount.
  static constexpr unsigned kLimitCount = 16;
  virtual Result<ProcLimit> Limit(ProcId id, unsigned which) = 0;
  virtual Result<uint64_t> Number(ProcId id, ProcNumber which) = 0;
  // As the reader would name it; what lies outside of his root by its full path. With
  // |if_reachable| such a place has no name: "".
  virtual Result<String> NameOf(const Path& path, bool if_reachable = false) = 0;

  // ---- Changes; permission bits of the file have been checked.
  // The number after which the next process is looked for. EPERM, EINVAL.
  virtual Result<void> SetLastPid(int32_t number) = 0;
  virtual Result<void> SetName(ProcId id, std::string_view name) = 0;
  virtual Result<void> SetOomScoreAdj(ProcId id, int32_t value) = 0;
  // EPERM, EINVAL.
  virtual Result<void> SetNumber(ProcId id, ProcNumber which, uint64_t value) = 0;

  // ---- The system.
  virtual SystemFacts System() = 0;
  virtual TextBuffer<64> GetSystemName(ProcName which) = 0;
  virtual Result<void> SetSystemName(ProcName which, std::string_view name) = 0;
  // Told when it changes; null if there is no memory for it.
  virtual RefPtr<ChangeNotice> SystemNameChanges(ProcName which) = 0;
  virtual std::string_view Release() = 0;
  // The text of a file of /proc/sysvipc.
  virtual void ShowIpc(ProcIpc which, TextSink& out) = 0;

 protected:
  ~ProcSource() = default;
};

}  // namespace zrun::vfs
