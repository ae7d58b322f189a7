// Who the task is: user and group ids, capabilities (credentials(7), capabilities(7)).
#include "compat/syscall_table.h"
#include "compat/task.h"

namespace zrun::compat {
namespace {

using vfs::Capability;
using vfs::Credentials;

constexpr uint32_t kKeep = ~uint32_t{0};

constexpr uint64_t Bit(Capability capability) { return uint64_t{1} << unsigned(capability); }
constexpr uint64_t kFileCapabilities = Bit(Capability::kChown) | Bit(Capability::kDacOverride) |
                                       Bit(Capability::kDacReadSearch) | Bit(Capability::kFowner) |
                                       Bit(Capability::kFsetid) | Bit(Capability::kMknod) |
                                       uint64_t{1} << 9;
constexpr uint32_t kNoSetuidFixup = 1 << 2, kKeepCaps = 1 << 4;

// capabilities(7), "Effect of user ID changes on capabilities".
void FixCapabilities(Task& task, const Credentials& old, Credentials& changed) {
  if (changed.securebits & kNoSetuidFixup) return;
  const bool had_root = old.uid == 0 || old.euid == 0 || old.suid == 0;
  const bool has_root = changed.uid == 0 || changed.euid == 0 || changed.suid == 0;
  if (had_root && !has_root) {
    if (!task.keep_caps && !(changed.securebits & kKeepCaps))
      changed.cap_permitted = changed.cap_effective = 0;
    changed.cap_ambient = 0;
  }
  if (old.euid == 0 && changed.euid != 0) changed.cap_effective = 0;
  if (old.euid != 0 && changed.euid == 0) changed.cap_effective = changed.cap_permitted;
}

void Publish(Task& task, const Credentials& old, RefPtr<Credentials> changed) {
  if (changed->euid != old.euid || changed->egid != old.egid || changed->fsuid != old.fsuid) {
    task.parent_death_signal = 0;
    task.memory_context().dumpable = 0;
  }
  task.SetCredentials(std::move(changed));
}

}  // namespace

SyscallResult sys_getuid(Task& task) { return task.credentials()->uid; }
SyscallResult sys_geteuid(Task& task) { return task.credentials()->euid; }
SyscallResult sys_getgid(Task& task) { return task.credentials()->gid; }
SyscallResult sys_getegid(Task& task) { return task.credentials()->egid; }

SyscallResult sys_getresuid(Task& task, UserPtr<uint32_t> real, UserPtr<uint32_t> effective,
                            UserPtr<uint32_t> saved) {
  const auto credentials = task.credentials();
  TRY(task.memory().Write(real, credentials->uid));
  TRY(task.memory().Write(effective, credentials->euid));
  TRY(task.memory().Write(saved, credentials->suid));
  return 0;
}
SyscallResult sys_getresgid(Task& task, UserPtr<uint32_t> real, UserPtr<uint32_t> effective,
                            UserPtr<uint32_t> saved) {
  const auto credentials = task.credentials();
  TRY(task.memory().Write(real, credentials->gid));
  TRY(task.memory().Write(effective, credentials->egid));
  TRY(task.memory().Write(saved, credentials->sgid));
  return 0;
}

SyscallResult sys_setuid(Task& task, uint32_t uid) {
  if (uid == kKeep) return Errno::kEINVAL;
  const auto old = task.credentials();
  auto changed = TRY(old->Clone());
  if (old->Has(Capability::kSetUid)) {
    changed->uid = changed->suid = uid;
  } else if (uid != old->uid && uid != old->suid) {
    return Errno::kEPERM;
  }
  changed->euid = changed->fsuid = uid;
  FixCapabilities(task, *old, *changed);
  Publish(task, *old, std::move(changed));
  return 0;
}

SyscallResult sys_setgid(Task& task, uint32_t gid) {
  if (gid == kKeep) return Errno::kEINVAL;
  const auto old = task.credentials();
  auto changed = TRY(old->Clone());
  if (old->Has(Capability::kSetGid)) {
    changed->gid = changed->sgid = gid;
  } else if (gid != old->gid && gid != old->sgid) {
    return Errno::kEPERM;
  }
  changed->egid = changed->fsgid = gid;
  Publish(task, *old, std::move(changed));
  return 0;
}

SyscallResult sys_setreuid(Task& task, uint32_t real, uint32_t effective) {
  const auto old = task.credentials();
  auto changed = TRY(old->Clone());
  const bool may = old->Has(Capability::kSetUid);
  if (real != kKeep) {
    if (!may && real != old->uid && real != old->euid) return Errno::kEPERM;
    changed->uid = real;
  }
  if (effective != kKeep) {
    if (!may && effective != old->uid && effective != old->euid && effective != old->suid)
      return Errno::kEPERM;
    changed->euid = effective;
  }
  if (real != kKeep || (effective != kKeep && effective != old->uid)) changed->suid = changed->euid;
  changed->fsuid = changed->euid;
  FixCapabilities(task, *old, *changed);
  Publish(task, *old, std::move(changed));
  return 0;
}

SyscallResult sys_setregid(Task& task, uint32_t real, uint32_t effective) {
  const auto old = task.credentials();
  auto changed = TRY(old->Clone());
  const bool may = old->Has(Capability::kSetGid);
  if (real != kKeep) {
    if (!may && real != old->gid && real != old->egid) return Errno::kEPERM;
    changed->gid = real;
  }
  if (effective != kKeep) {
    if (!may && effective != old->gid && effective != old->egid && effective != old->sgid)
      return Errno::kEPERM;
    changed->egid = effective;
  }
  if (real != kKeep || (effective != kKeep && effective != old->gid)) changed->sgid = changed->egid;
  changed->fsgid = changed->egid;
  Publish(task, *old, std::move(changed));
  return 0;
}

SyscallResult sys_setresuid(Task& task, uint32_t real, uint32_t effective, uint32_t saved) {
  const auto old = task.credentials();
  auto changed = TRY(old->Clone());
  for (const uint32_t id : {real, effective, saved}) {
    if (id != kKeep && !old->Has(Capability::kSetUid) && id != old->uid && id != old->euid &&
        id != old->suid)
      return Errno::kEPERM;
  }
  if (real != kKeep) changed->uid = real;
  if (effective != kKeep) changed->euid = effective;
  if (saved != kKeep) changed->suid = saved;
  changed->fsuid = changed->euid;
  FixCapabilities(task, *old, *changed);
  Publish(task, *old, std::move(changed));
  return 0;
}

SyscallResult sys_setresgid(Task& task, uint32_t real, uint32_t effective, uint32_t saved) {
  const auto old = task.credentials();
  auto changed = TRY(old->Clone());
  for (const uint32_t id : {real, effective, saved}) {
    if (id != kKeep && !old->Has(Capability::kSetGid) && id != old->gid && id != old->egid &&
        id != old->sgid)
      return Errno::kEPERM;
  }
  if (real != kKeep) changed->gid = real;
  if (effective != kKeep) changed->egid = effective;
  if (saved != kKeep) changed->sgid = saved;
  changed->fsgid = changed->egid;
  Publish(task, *old, std::move(changed));
  return 0;
}

// Both return the old id, and say nothing of errors.
SyscallResult sys_setfsuid(Task& task, uint32_t uid) {
  const auto old = task.credentials();
  const bool may = old->Has(Capability::kSetUid) || uid == old->uid || uid == old->euid ||
                   uid == old->suid || uid == old->fsuid;
  if (uid == kKeep || !may) return old->fsuid;
  auto changed = TRY(old->Clone());
  changed->fsuid = uid;
  if (!(old->securebits & kNoSetuidFixup)) {
    if (old->fsuid == 0 && uid != 0) changed->cap_effective &= ~kFileCapabilities;
    if (old->fsuid != 0 && uid == 0)
      changed->cap_effective |= changed->cap_permitted & kFileCapabilities;
  }
  Publish(task, *old, std::move(changed));
  return old->fsuid;
}
SyscallResult sys_setfsgid(Task& task, uint32_t gid) {
  const auto old = task.credentials();
  const bool may = old->Has(Capability::kSetGid) || gid == old->gid || gid == old->egid ||
                   gid == old->sgid || gid == old->fsgid;
  if (gid == kKeep || !may) return old->fsgid;
  auto changed = TRY(old->Clone());
  changed->fsgid = gid;
  Publish(task, *old, std::move(changed));
  return old->fsgid;
}

SyscallResult sys_getgroups(Task& task, int32_t size, UserPtr<uint32_t> list) {
  const auto credentials = task.credentials();
  const size_t count = credentials->groups.size();
  if (size < 0) return Errno::kEINVAL;
  if (size == 0) return count;
  if (size_t(size) < count) return Errno::kEINVAL;
  TRY(task.memory().WriteArray(list, std::span<const uint32_t>(credentials->groups)));
  return count;
}

SyscallResult sys_setgroups(Task& task, int32_t size, UserPtr<const uint32_t> list) {
  constexpr int32_t kMaxGroups = 65536;
  const auto old = task.credentials();
  if (!old->Has(Capability::kSetGid)) return Errno::kEPERM;
  if (size < 0 || size > kMaxGroups) return Errno::kEINVAL;
  auto changed = TRY(old->Clone());
  TRY(changed->groups.Resize(size_t(size)));
  TRY(task.memory().ReadArray(std::span<uint32_t>(changed->groups), list));
  std::sort(changed->groups.begin(), changed->groups.end());
  task.SetCredentials(std::move(changed));
  return 0;
}

// ---- Capabilities.
namespace {

constexpr uint32_t kVersion1 = 0x19980330, kVersion2 = 0x20071026, kVersion3 = 0x20080522;
struct CapHeader {
  uint32_t version;
  int32_t pid;
};
struct CapData {
  uint32_t effective, permitted, inheritable;
};
constexpr uint64_t kAllCapabilities = (uint64_t{1} << 41) - 1;

// How many CapData follow; on an unknown version Linux writes the one it prefers and says EINVAL.
Result<size_t> CheckVersion(Task& task, UserPtr<CapHeader> header, const CapHeader& given) {
  if (given.version == kVersion1) return size_t{1};
  if (given.version == kVersion2 || given.version == kVersion3) return size_t{2};
  TRY(task.memory().Write(header.as<uint32_t>(), kVersion3));
  return Errno::kEINVAL;
}

}  // namespace

SyscallResult sys_capget(Task& task, UserAddr header_address, UserAddr data_address) {
  const UserPtr<CapHeader> header(header_address.address);
  const UserPtr<CapData> data(data_address.address);
  const CapHeader given = TRY(task.memory().Read(header));
  const auto count = CheckVersion(task, header, given);
  if (!count.ok())
    return data.is_null() && count.error() == Errno::kEINVAL ? SyscallResult(0) : count.error();
  if (given.pid < 0) return Errno::kEINVAL;
  RefPtr<const Credentials> credentials = task.credentials();
  if (given.pid != 0 && given.pid != task.tid()) {
    RefPtr<Task> other;
    {
      MutexLock lock(task.kernel().lock());
      other = RefPtr<Task>(task.kernel().pids().FindTask(given.pid));
    }
    if (!other) return Errno::kESRCH;
    credentials = other->credentials();
  }
  if (data.is_null()) return 0;
  for (size_t i = 0; i < count.value(); i++) {
    const unsigned shift = unsigned(i) * 32;
    TRY(task.memory().Write(data.at(i), CapData{uint32_t(credentials->cap_effective >> shift),
                                                uint32_t(credentials->cap_permitted >> shift),
                                                uint32_t(credentials->cap_inheritable >> shift)}));
  }
  return 0;
}

SyscallResult sys_capset(Task& task, UserAddr header_address, UserAddr data_address) {
  const UserPtr<CapHeader> header(header_address.address);
  const UserPtr<const CapData> data(data_address.address);
  const CapHeader given = TRY(task.memory().Read(header));
  const size_t count = TRY(CheckVersion(task, header, given));
  if (given.pid != 0 && given.pid != task.tid()) return Errno::kEPERM;
  uint64_t effective = 0, permitted = 0, inheritable = 0;
  for (size_t i = 0; i < count; i++) {
    const CapData word = TRY(task.memory().Read(data.at(i)));
    effective |= uint64_t{word.effective} << (i * 32);
    permitted |= uint64_t{word.permitted} << (i * 32);
    inheritable |= uint64_t{word.inheritable} << (i * 32);
  }
  effective &= kAllCapabilities, permitted &= kAllCapabilities, inheritable &= kAllCapabilities;
  const auto old = task.credentials();
  const bool may_inherit = old->Has(Capability::kSetPcap);
  if (!may_inherit && (inheritable & ~(old->cap_inheritable | old->cap_permitted)))
    return Errno::kEPERM;
  if (inheritable & ~(old->cap_inheritable | old->cap_bounding)) return Errno::kEPERM;
  if (permitted & ~old->cap_permitted) return Errno::kEPERM;
  if (effective & ~permitted) return Errno::kEPERM;
  auto changed = TRY(old->Clone());
  changed->cap_effective = effective;
  changed->cap_permitted = permitted;
  changed->cap_inheritable = inheritable;
  changed->cap_ambient &= permitted & inheritable;
  task.SetCredentials(std::move(changed));
  return 0;
}

}  // namespace zrun::compat
