// The system as a whole: its name, load, randomness.
#include "compat/abi/arch.h"
#include "compat/load_average.h"
#include "compat/syscall_table.h"
#include "compat/task.h"
#include "hal/devices.h"
#include "vfs/procfs/proc_source.h"

namespace zrun::compat {
namespace {

struct Utsname {
  char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65];
};

void CopyText(char (&to)[65], std::string_view text) {
  const size_t size = std::min<size_t>(text.size(), 64);
  __builtin_memcpy(to, text.data(), size);
}

struct Sysinfo {
  int64_t uptime;
  uint64_t loads[3];
  uint64_t total_ram, free_ram, shared_ram, buffer_ram, total_swap, free_swap;
  uint16_t processes, padding;
  uint32_t padding_to_8;
  uint64_t total_high, free_high;
  uint32_t memory_unit;
  uint32_t tail;
};
static_assert(sizeof(Sysinfo) == 112);

// sethostname and setdomainname.
Result<Kernel::UtsName> ReadName(Task& task, UserPtr<const char> name, int32_t length) {
  if (!task.Has(vfs::Capability::kSysAdmin)) return Errno::kEPERM;
  if (length < 0 || length > 64) return Errno::kEINVAL;
  char text[64];
  TRY(task.memory().ReadArray(std::span<char>(text, size_t(length)), name));
  return Kernel::UtsName(std::string_view(text, size_t(length)));
}

}  // namespace

SyscallResult sys_uname(Task& task, UserAddr name) {
  Utsname out = {};
  CopyText(out.sysname, "Linux");
  CopyText(out.nodename, task.kernel().hostname());
  CopyText(out.release, Kernel::kRelease);
  CopyText(out.version, "#1 SMP PREEMPT_DYNAMIC");
  CopyText(out.machine, abi::kMachine);
  CopyText(out.domainname, task.kernel().domainname());
  TRY(task.memory().Write(UserPtr<Utsname>(name.address), out));
  return 0;
}

SyscallResult sys_sethostname(Task& task, UserPtr<const char> name, int32_t length) {
  task.kernel().SetHostname(TRY(ReadName(task, name, length)));
  return 0;
}

SyscallResult sys_setdomainname(Task& task, UserPtr<const char> name, int32_t length) {
  task.kernel().SetDomainname(TRY(ReadName(task, name, length)));
  return 0;
}

SyscallResult sys_sysinfo(Task& task, UserAddr info) {
  Sysinfo out = {};
  // The machine's, as CLOCK_BOOTTIME has it, which programs read without a system call.
  out.uptime = hal::BoottimeNow() / hal::kSecond;
  constexpr unsigned kFractionBits = 16;  // SI_LOAD_SHIFT
  const auto load = GetLoadAverages();
  for (unsigned i = 0; i < load.size(); i++)
    out.loads[i] = load[i] << (kFractionBits - vfs::SystemFacts::kLoadFractionBits);
  out.total_ram = hal::TotalRam();
  out.free_ram = out.total_ram - std::min(out.total_ram, hal::CommittedRam());
  out.processes = uint16_t(task.kernel().threads.load());
  out.memory_unit = 1;
  TRY(task.memory().Write(UserPtr<Sysinfo>(info.address), out));
  return 0;
}

SyscallResult sys_getrandom(Task& task, UserPtr<std::byte> buffer, size_t size, uint32_t flags) {
  constexpr uint32_t kNonBlock = 1, kRandom = 2, kInsecure = 4;
  if (flags & ~(kNonBlock | kRandom | kInsecure)) return Errno::kEINVAL;
  if ((flags & (kRandom | kInsecure)) == (kRandom | kInsecure)) return Errno::kEINVAL;
  size = std::min<size_t>(size, 0x7fffffff);
  std::array<std::byte, 256> bytes;
  size_t done = 0;
  while (done < size) {
    const std::span<std::byte> part(bytes.data(), std::min(bytes.size(), size - done));
    hal::FillEntropy(part);
    const auto copied = task.memory().CopyOut(buffer.at(done), part);
    if (!copied.ok()) return done > 0 ? SyscallResult(done) : copied.error();
    done += copied.value();
    if (copied.value() < part.size()) break;
    if (size > 4096 && task.HasPendingSignal()) break;
  }
  return done;
}

SyscallResult sys_personality(Task& task, uint32_t persona) {
  const uint32_t old = task.personality;
  if (persona != ~uint32_t{0}) task.personality = persona;
  return old;
}

SyscallResult sys_syslog(Task& task, int32_t type, UserPtr<std::byte> /*buffer*/, int32_t size) {
  constexpr int32_t kReadAll = 3, kSizeBuffer = 10;
  if (type < 0 || type > 10) return Errno::kEINVAL;
  if (type != kReadAll && type != kSizeBuffer && !task.Has(vfs::Capability::kSysAdmin))
    return Errno::kEPERM;
  if (size < 0) return Errno::kEINVAL;
  return 0;  // the kernel's messages go to the launcher: the log is empty
}

SyscallResult sys_reboot(Task&, uint32_t, uint32_t, uint32_t, UserAddr) { return Errno::kEPERM; }

}  // namespace zrun::compat
