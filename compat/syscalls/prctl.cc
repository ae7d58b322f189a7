// prctl(2): attributes of the calling thread and process.
#include "compat/abi/arch.h"
#include "compat/syscall_table.h"
#include "compat/task.h"

namespace zrun::compat {
namespace {

enum : int32_t {  // <linux/prctl.h>
  kSetPdeathsig = 1,
  kGetPdeathsig = 2,
  kGetDumpable = 3,
  kSetDumpable = 4,
  kGetKeepCaps = 7,
  kSetKeepCaps = 8,
  kGetTiming = 13,
  kSetTiming = 14,
  kSetName = 15,
  kGetName = 16,
  kGetSeccomp = 21,
  kCapBsetRead = 23,
  kCapBsetDrop = 24,
  kGetTsc = 25,
  kSetTsc = 26,
  kGetSecurebits = 27,
  kSetSecurebits = 28,
  kSetTimerSlack = 29,
  kGetTimerSlack = 30,
  kMceKillGet = 34,
  kSetMm = 35,
  kSetChildSubreaper = 36,
  kGetChildSubreaper = 37,
  kSetNoNewPrivs = 38,
  kGetNoNewPrivs = 39,
  kGetTidAddress = 40,
  kSetThpDisable = 41,
  kGetThpDisable = 42,
  kCapAmbient = 47,
  kSetPtracer = 0x59616d61,
  kSetVma = 0x53564d41,
};
constexpr uint64_t kLastCapability = 40;
constexpr int32_t kTscEnable = 1;
constexpr bool kHasTsc = abi::kMachine == "x86_64";

SyscallResult SetName(Task& task, uint64_t address) {
  std::array<char, 16> text = {};
  const auto copied = task.memory().ReadString(UserCString{address}, 16);
  if (copied.ok()) {
    task.SetName(copied.value());
    return 0;
  }
  if (copied.error() != Errno::kENAMETOOLONG) return copied.error();
  TRY(task.memory().ReadArray(std::span<char>(text.data(), 15), UserPtr<const char>(address)));
  task.SetName(std::string_view(text.data(), 15));
  return 0;
}

SyscallResult GetName(Task& task, uint64_t address) {
  std::array<char, 16> text = {};
  const auto name = task.name();
  __builtin_memcpy(text.data(), name.view().data(), std::min<size_t>(name.view().size(), 15));
  TRY(task.memory().WriteArray(UserPtr<char>(address), std::span<const char>(text)));
  return 0;
}

SyscallResult DropBounding(Task& task, uint64_t capability) {
  const auto old = task.credentials();
  if (!old->Has(vfs::Capability::kSetPcap)) return Errno::kEPERM;
  if (capability > kLastCapability) return Errno::kEINVAL;
  auto changed = TRY(old->Clone());
  changed->cap_bounding &= ~(uint64_t{1} << capability);
  task.SetCredentials(std::move(changed));
  return 0;
}

SyscallResult SetSecurebits(Task& task, uint64_t bits) {
  constexpr uint64_t kAll = 0xff, kLocks = 0xaa;
  const auto old = task.credentials();
  if (!old->Has(vfs::Capability::kSetPcap) || (bits & ~kAll)) return Errno::kEPERM;
  // A locked bit stays as it is, and a lock stays locked.
  const uint64_t locked = old->securebits & kLocks;
  if ((locked >> 1 & (old->securebits ^ bits)) || (locked & ~bits)) return Errno::kEPERM;
  auto changed = TRY(old->Clone());
  changed->securebits = uint32_t(bits);
  task.SetCredentials(std::move(changed));
  return 0;
}

SyscallResult Ambient(Task& task, uint64_t operation, uint64_t capability) {
  constexpr uint64_t kIsSet = 1, kRaise = 2, kLower = 3, kClearAll = 4;
  constexpr uint32_t kNoAmbientRaise = 1 << 6;
  const auto old = task.credentials();
  if (operation == kClearAll ? capability != 0 : capability > kLastCapability)
    return Errno::kEINVAL;
  const uint64_t bit = uint64_t{1} << capability;
  if (operation == kIsSet) return old->cap_ambient & bit ? 1 : 0;
  if (operation != kRaise && operation != kLower && operation != kClearAll) return Errno::kEINVAL;
  auto changed = TRY(old->Clone());
  if (operation == kClearAll) {
    changed->cap_ambient = 0;
  } else if (operation == kLower) {
    changed->cap_ambient &= ~bit;
  } else {
    if (!(old->cap_permitted & old->cap_inheritable & bit) || (old->securebits & kNoAmbientRaise))
      return Errno::kEPERM;
    changed->cap_ambient |= bit;
  }
  task.SetCredentials(std::move(changed));
  return 0;
}

}  // namespace

SyscallResult sys_prctl(Task& task, int32_t option, uint64_t a2, uint64_t a3, uint64_t a4,
                        uint64_t a5) {
  const bool rest_is_zero = !a3 && !a4 && !a5;
  switch (option) {
    case kSetPdeathsig:
      if (a2 > 64) return Errno::kEINVAL;
      task.parent_death_signal = int(a2);
      return 0;
    case kGetPdeathsig:
      TRY(task.memory().Write(UserPtr<int32_t>(a2), task.parent_death_signal.load()));
      return 0;
    case kGetDumpable:
      return uint64_t(task.memory_context().dumpable);
    case kSetDumpable:
      if (a2 > 1) return Errno::kEINVAL;
      task.memory_context().dumpable = int(a2);
      return 0;
    case kGetKeepCaps:
      return task.keep_caps ? 1 : 0;
    case kSetKeepCaps:
      if (a2 > 1) return Errno::kEINVAL;
      task.keep_caps = a2 != 0;
      return 0;
    case kGetTiming:
      return 0;
    case kSetTiming:
      if (a2 != 0) return Errno::kEINVAL;
      return 0;
    case kSetName:
      return SetName(task, a2);
    case kGetName:
      return GetName(task, a2);
    case kGetSeccomp:
      return 0;
    case kCapBsetRead:
      if (a2 > kLastCapability) return Errno::kEINVAL;
      return task.credentials()->cap_bounding >> a2 & 1;
    case kCapBsetDrop:
      return DropBounding(task, a2);
    case kGetTsc:
      if (!kHasTsc) return Errno::kEINVAL;
      TRY(task.memory().Write(UserPtr<int32_t>(a2), kTscEnable));
      return 0;
    case kSetTsc:  // the kernel reads it too: it cannot be taken away
      if (!kHasTsc || a2 != uint64_t{kTscEnable}) return Errno::kEINVAL;
      return 0;
    case kGetSecurebits:
      return task.credentials()->securebits;
    case kSetSecurebits:
      return SetSecurebits(task, a2);
    case kSetTimerSlack:
      task.timer_slack = int64_t(a2) <= 0 ? task.default_timer_slack.load() : a2;
      return 0;
    case kGetTimerSlack:
      return task.timer_slack;
    case kMceKillGet:
      if (a2 || !rest_is_zero) return Errno::kEINVAL;
      return 2;  // PR_MCE_KILL_DEFAULT
    case kSetMm:
      return Errno::kEPERM;
    case kSetChildSubreaper: {
      MutexLock lock(task.kernel().lock());
      task.group().subreaper = a2 != 0;
      return 0;
    }
    case kGetChildSubreaper: {
      int32_t value = 0;
      {
        MutexLock lock(task.kernel().lock());
        value = task.group().subreaper;
      }
      TRY(task.memory().Write(UserPtr<int32_t>(a2), value));
      return 0;
    }
    case kSetNoNewPrivs:
      if (a2 != 1 || !rest_is_zero) return Errno::kEINVAL;
      task.no_new_privs = true;
      return 0;
    case kGetNoNewPrivs:
      if (a2 || !rest_is_zero) return Errno::kEINVAL;
      return task.no_new_privs ? 1 : 0;
    case kGetTidAddress:
      TRY(task.memory().Write(UserPtr<uint64_t>(a2), task.clear_child_tid));
      return 0;
    case kSetThpDisable:
      if (!rest_is_zero) return Errno::kEINVAL;
      return 0;
    case kGetThpDisable:
      if (a2 || !rest_is_zero) return Errno::kEINVAL;
      return 0;
    case kCapAmbient:
      if (a4 || a5) return Errno::kEINVAL;
      return Ambient(task, a2, a3);
    case kSetPtracer:
      return 0;
    case kSetVma:
      return 0;  // names of anonymous mappings: accepted, not shown
    default:
      return Errno::kEINVAL;
  }
}

}  // namespace zrun::compat
