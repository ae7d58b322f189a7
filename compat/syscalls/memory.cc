// The address space: mmap(2) and its family, brk(2).
#include "compat/syscall_table.h"
#include "compat/sysv_ipc.h"
#include "compat/task.h"
#include "vfs/permissions.h"

namespace zrun::compat {
namespace {

using hal::Access;

enum : uint32_t {  // <asm-generic/mman.h>
  kMapShared = 1,
  kMapPrivate = 2,
  kMapSharedValidate = 3,
  kMapTypeMask = 0xf,
  kMapFixed = 0x10,
  kMapAnonymous = 0x20,
  kMap32Bit = 0x40,
  kMapGrowsDown = 0x100,
  kMapDenyWrite = 0x800,
  kMapExecutable = 0x1000,
  kMapLocked = 0x2000,
  kMapNoReserve = 0x4000,
  kMapPopulate = 0x8000,
  kMapNonBlock = 0x10000,
  kMapStack = 0x20000,
  kMapHugeTlb = 0x40000,
  kMapSync = 0x80000,
  kMapFixedNoReplace = 0x100000,
};
constexpr uint32_t kMapLegacy = 0x1f0ff | kMapStack | kMapHugeTlb | kMapFixedNoReplace;
constexpr uint32_t kProtGrowsDown = 0x01000000, kProtGrowsUp = 0x02000000;
constexpr uint32_t kReadImpliesExec = 0x0400000;  // personality(2)

Access AccessOf(Task& task, uint32_t protection) {
  auto access = Access(protection & 7);
  if (HasAny(access, Access::kRead) && (task.personality & kReadImpliesExec))
    access |= Access::kExecute;
  return access;
}

// EINVAL for an unaligned address, ENOMEM for a length that leaves the address space; rounds up.
Result<hal::VirtRange> PageRange(uint64_t address, uint64_t length) {
  if (address & hal::kPageMask) return Errno::kEINVAL;
  const uint64_t size = hal::RoundUp(length);
  if (size < length || address + size < address) return Errno::kENOMEM;
  return hal::VirtRange{address, size};
}

// |over|: what exceeding the limit is to the call. A limit of 0 forbids locking at all.
Result<void> CheckLockLimit(Task& task, uint64_t more, Errno over = Errno::kENOMEM,
                            Errno forbidden = Errno::kEPERM) {
  if (task.Has(vfs::Capability::kIpcLock)) return {};
  const uint64_t limit = task.group().limits().soft(Limit::kLocked);
  if (limit == kUnlimited) return {};
  if (limit == 0) return forbidden;
  const uint64_t locked = task.region().totals().locked_bytes;
  if (more > limit || locked > limit - more) return over;
  return {};
}

// What a mapping grows by is locked as the rest is.
Result<void> CheckLockedGrowth(Task& task, hal::vaddr_t address, uint64_t old_size,
                               uint64_t new_size) {
  if (new_size <= old_size) return {};
  const auto mapping = task.region().Find(address);
  if (!mapping || !HasAny(mapping->flags, MapFlags::kLocked)) return {};
  return CheckLockLimit(task, new_size - old_size, Errno::kEAGAIN, Errno::kEAGAIN);
}

// What a file allows to be mapped, as mmap(2)'s EACCES and EPERM have it.
Result<void> AddFile(Mapping& mapping, RefPtr<vfs::FileDescription> file, bool shared) {
  if (!file->readable()) return Errno::kEACCES;
  if (shared && HasAny(mapping.access, Access::kWrite) && !file->writable()) return Errno::kEACCES;
  if (shared && !file->writable()) mapping.max_access = Access::kRead | Access::kExecute;
  if (const auto& mount = file->path().mount;
      mount && HasAny(mount->flags(), vfs::MountFlags::kNoExec)) {
    if (HasAny(mapping.access, Access::kExecute)) return Errno::kEPERM;
    mapping.max_access &= ~Access::kExecute;
  }
  TRY(file->CheckMap(shared, mapping.access, mapping.max_access));
  if (!shared && file->MapsAnonymously()) {
    mapping.object_offset = 0;
    return {};
  }
  mapping.object = TRY(file->Mmap());
  mapping.file = std::move(file);
  return {};
}

}  // namespace

SyscallResult sys_mmap(Task& task, UserAddr address, size_t length, uint32_t protection,
                       uint32_t flags, Fd fd, uint64_t offset) {
  if (offset & hal::kPageMask) return Errno::kEINVAL;
  RefPtr<vfs::FileDescription> file;
  if (!(flags & kMapAnonymous)) file = TRY(task.fds().Get(fd));
  if (length == 0) return Errno::kEINVAL;
  const uint64_t size = hal::RoundUp(length);
  if (size < length) return Errno::kENOMEM;
  if (offset + size < offset) return Errno::kEOVERFLOW;
  constexpr uint64_t kLargestFile = INT64_MAX;
  if (!(flags & kMapAnonymous) && offset + size > kLargestFile) return Errno::kEOVERFLOW;
  const uint32_t type = flags & kMapTypeMask;
  if (type != kMapShared && type != kMapPrivate && type != kMapSharedValidate)
    return Errno::kEINVAL;
  if (type == kMapSharedValidate && (flags & kMapAnonymous)) return Errno::kEINVAL;
  if (type == kMapSharedValidate && (flags & ~kMapLegacy)) return Errno::kEOPNOTSUPP;
  const bool shared = type != kMapPrivate;

  Mapping mapping;
  mapping.range = {address.address, size};
  mapping.object_offset = offset;
  mapping.access = AccessOf(task, protection);
  if (!shared) mapping.flags |= MapFlags::kPrivate;
  if (flags & (kMapFixed | kMapFixedNoReplace)) {
    if (address.address & hal::kPageMask) return Errno::kEINVAL;
    if (address.address < hal::GetUserLayout().lowest) return Errno::kEPERM;
    mapping.flags |= MapFlags::kFixed;
    if (!(flags & kMapFixedNoReplace)) mapping.flags |= MapFlags::kReplace;
  } else {
    mapping.range.base = hal::RoundDown(address.address);
    if (flags & kMap32Bit) mapping.flags |= MapFlags::kLow;
  }
  if (flags & kMapGrowsDown) mapping.flags |= MapFlags::kGrowsDown;
  if (flags & kMapNoReserve) mapping.flags |= MapFlags::kNoReserve;
  if (file) {
    TRY(AddFile(mapping, std::move(file), shared));
  } else {
    if (flags & kMapHugeTlb) return Errno::kENOMEM;  // as a host without reserved huge pages
    mapping.object_offset = 0;
    if (shared) mapping.object = TRY(VmObject::CreateAnonymous(size));
  }
  MemoryContext& context = task.memory_context();
  bool touch = flags & kMapPopulate;
  if ((flags & kMapLocked) || context.lock_future) {
    TRY(CheckLockLimit(task, size, Errno::kEAGAIN,
                       flags & kMapLocked ? Errno::kEPERM : Errno::kEAGAIN));
    mapping.flags |= MapFlags::kLocked;
    touch |= (flags & kMapLocked) || !context.lock_on_fault;
  }
  const hal::vaddr_t base = TRY(task.region().Map(std::move(mapping)));
  // The mapping is there, whether its pages can be had or not.
  if (touch) static_cast<void>(task.region().MakeResident({base, size}));
  return base;
}

SyscallResult sys_munmap(Task& task, UserAddr address, size_t length) {
  if (length == 0) return Errno::kEINVAL;
  const auto range = PageRange(address.address, length);
  if (!range.ok()) return Errno::kEINVAL;
  TRY(task.region().Unmap(range.value()));
  return 0;
}

SyscallResult sys_mprotect(Task& task, UserAddr address, size_t length, uint32_t protection) {
  const uint32_t growth = protection & (kProtGrowsDown | kProtGrowsUp);
  if (growth == (kProtGrowsDown | kProtGrowsUp)) return Errno::kEINVAL;
  hal::VirtRange range = TRY(PageRange(address.address, length));
  if (protection & ~(7u | 8u | kProtGrowsDown | kProtGrowsUp)) return Errno::kEINVAL;
  if (range.size == 0) return 0;
  if (growth) {
    // To the end of the mapping that grows: only stacks do, downwards.
    const auto mapping = task.region().Find(range.base);
    if (!mapping) return Errno::kENOMEM;
    if (growth == kProtGrowsUp || !HasAny(mapping->flags, MapFlags::kGrowsDown))
      return Errno::kEINVAL;
    range = {mapping->range.base, range.end() - mapping->range.base};
  }
  TRY(task.region().Protect(range, AccessOf(task, protection)));
  return 0;
}

SyscallResult sys_mseal(Task& task, UserAddr address, size_t length, uint64_t flags) {
  if (flags != 0) return Errno::kEINVAL;
  const auto range = PageRange(address.address, length);
  if (!range.ok()) return Errno::kEINVAL;
  TRY(task.region().Seal(range.value()));
  return 0;
}

SyscallResult sys_pkey_mprotect(Task& task, UserAddr address, size_t length, uint32_t protection,
                                int32_t key) {
  if (key != -1) return Errno::kEINVAL;
  return sys_mprotect(task, address, length, protection);
}

// There are none to give away: as on a processor without keys.
SyscallResult sys_pkey_alloc(Task&, uint64_t flags, uint64_t rights) {
  constexpr uint64_t kDisableAccess = 1, kDisableWrite = 2;
  if (flags != 0 || (rights & ~(kDisableAccess | kDisableWrite))) return Errno::kEINVAL;
  return Errno::kENOSPC;
}
SyscallResult sys_pkey_free(Task&, int32_t) { return Errno::kEINVAL; }

SyscallResult sys_membarrier(Task& task, int32_t command, uint32_t flags, int32_t) {
  constexpr int32_t kQuery = 0, kGlobal = 1, kGlobalExpedited = 2, kRegisterGlobal = 4,
                    kPrivate = 8, kRegisterPrivate = 16;
  if (flags != 0) return Errno::kEINVAL;
  switch (command) {
    case kQuery:
      return kGlobal | kGlobalExpedited | kRegisterGlobal | kPrivate | kRegisterPrivate;
    case kRegisterGlobal:  // those that have not registered get the barrier, too
      return 0;
    case kGlobal:
    case kGlobalExpedited:
      TRY(hal::MemoryBarrier(hal::BarrierScope::kEverywhere));
      return 0;
    case kRegisterPrivate:
      task.memory_context().membarrier = true;
      return 0;
    case kPrivate:
      if (!task.memory_context().membarrier) return Errno::kEPERM;
      TRY(hal::MemoryBarrier(hal::BarrierScope::kAddressSpace));
      return 0;
    default:
      return Errno::kEINVAL;
  }
}

SyscallResult sys_mremap(Task& task, UserAddr old_address, size_t old_size, size_t new_size,
                         uint32_t flags, UserAddr new_address) {
  constexpr uint32_t kMayMove = 1, kFixed = 2, kDontUnmap = 4;
  if (flags & ~(kMayMove | kFixed | kDontUnmap)) return Errno::kEINVAL;
  if ((flags & (kFixed | kDontUnmap)) && !(flags & kMayMove)) return Errno::kEINVAL;
  if ((flags & kDontUnmap) && old_size != new_size) return Errno::kEINVAL;
  if (old_address.address & hal::kPageMask) return Errno::kEINVAL;
  const uint64_t old_rounded = hal::RoundUp(old_size), new_rounded = hal::RoundUp(new_size);
  if (new_rounded == 0 || new_rounded < new_size || old_rounded < old_size) return Errno::kEINVAL;
  if ((flags & (kFixed | kDontUnmap)) && (new_address.address & hal::kPageMask))
    return Errno::kEINVAL;
  TRY(CheckLockedGrowth(task, old_address.address, old_rounded, new_rounded));
  return TRY(task.region().Remap({old_address.address, old_rounded}, new_rounded, flags,
                                 new_address.address));
}

// Another part of the object behind shared pages that are there: by mapping them anew, as Linux has
// done it since 4.0.
SyscallResult sys_remap_file_pages(Task& task, UserAddr address, size_t length, uint64_t protection,
                                   uint64_t page, uint64_t flags) {
  const hal::VirtRange range{hal::RoundDown(address.address), hal::RoundDown(length)};
  if (protection != 0 || range.end() <= range.base) return Errno::kEINVAL;
  constexpr uint64_t kMostPages = UINT64_MAX / hal::kPageSize;
  if (page > kMostPages - range.size / hal::kPageSize) return Errno::kEINVAL;
  const auto mapping = task.region().Find(range.base);
  if (!mapping || HasAny(mapping->flags, MapFlags::kPrivate | MapFlags::kVdso))
    return Errno::kEINVAL;
  // All of it must be the same file's; parts may have been remapped before.
  for (hal::vaddr_t at = mapping->range.end(); at < range.end();) {
    const auto next = task.region().Find(at);
    if (!next || next->object != mapping->object || next->flags != mapping->flags)
      return Errno::kEINVAL;
    at = next->range.end();
  }
  TRY(UnmapIfRemoved(task, *mapping, range));
  Mapping wanted = *mapping;
  wanted.range = range;
  wanted.object_offset = page * hal::kPageSize;
  wanted.flags |= MapFlags::kFixed | MapFlags::kReplace;
  TRY(task.region().Map(std::move(wanted)));
  if (!(flags & kMapNonBlock)) static_cast<void>(task.region().MakeResident(range));
  return 0;
}

SyscallResult sys_madvise(Task& task, UserAddr address, size_t length, int32_t advice) {
  if (address.address & hal::kPageMask) return Errno::kEINVAL;
  const uint64_t size = hal::RoundUp(length);
  if (size < length || address.address + size < address.address) return Errno::kEINVAL;
  TRY(task.region().Advise({address.address, size}, advice));
  return 0;
}

namespace {

// Makes the times of a file that lies in the kernel's memory tell of what was stored through
// mappings: nobody sees single stores. The host sees those to its files.
Result<void> NoteStores(const Mapping& mapping, vfs::Vnode& vnode) {
  if (!HasAny(mapping.access, hal::Access::kWrite)) return {};
  if (mapping.object->is_physical() || mapping.object->has_source()) return {};
  vfs::AttributeChange change;
  change.valid = vfs::AttributeChange::kMtime;  // the change time follows
  change.mtime = CallTime::Now();
  return vnode.SetAttributes(change);
}

// The files behind shared mappings of |range|: their times, and with |sync| their disk.
Result<void> SyncFiles(Task& task, hal::VirtRange range, bool sync) {
  for (hal::vaddr_t at = range.base; at < range.end();) {
    const auto mapping = task.region().FindFrom(at);
    if (!mapping || mapping->range.base >= range.end()) break;
    at = mapping->range.end();
    if (!mapping->file || !mapping->object || HasAny(mapping->flags, MapFlags::kPrivate)) continue;
    const vfs::Path& path = static_cast<vfs::FileDescription&>(*mapping->file).path();
    const auto vnode = path ? path.vnode() : nullptr;
    if (!vnode) continue;
    TRY(NoteStores(*mapping, *vnode));
    if (sync) TRY(vnode->Sync(true));
  }
  return {};
}

}  // namespace

SyscallResult sys_msync(Task& task, UserAddr address, size_t length, uint32_t flags) {
  constexpr uint32_t kAsync = 1, kInvalidate = 2, kSync = 4;
  if (flags & ~(kAsync | kInvalidate | kSync)) return Errno::kEINVAL;
  if ((flags & kAsync) && (flags & kSync)) return Errno::kEINVAL;
  const hal::VirtRange range = TRY(PageRange(address.address, length));
  if (range.size == 0) return 0;
  TRY(task.region().Sync(range, flags & kInvalidate));
  if (flags & (kAsync | kSync)) TRY(SyncFiles(task, range, flags & kSync));
  return 0;
}

SyscallResult sys_mincore(Task& task, UserAddr address, size_t length, UserPtr<uint8_t> vector) {
  const hal::VirtRange range = TRY(PageRange(address.address, length));
  std::array<uint8_t, 512> pages;
  for (uint64_t done = 0; done < range.size;) {
    if (task.MustExit()) return Errno::kRestartNoIntr;
    const uint64_t part = std::min<uint64_t>(range.size - done, pages.size() * hal::kPageSize);
    const std::span<uint8_t> out(pages.data(), part / hal::kPageSize);
    TRY(task.region().Residency({range.base + done, part}, out));
    TRY(task.memory().WriteArray(vector.at(done / hal::kPageSize), std::span<const uint8_t>(out)));
    done += part;
  }
  return 0;
}

namespace {

uint64_t LockedBytes(Task& task, hal::VirtRange range) {
  uint64_t bytes = 0;
  for (hal::vaddr_t at = range.base; at < range.end();) {
    const auto mapping = task.region().FindFrom(at);
    if (!mapping || mapping->range.base >= range.end()) break;
    const hal::vaddr_t from = std::max(at, mapping->range.base);
    at = std::min(mapping->range.end(), range.end());
    if (HasAny(mapping->flags, MapFlags::kLocked)) bytes += at - from;
  }
  return bytes;
}

enum class LockKind { kUnlock, kLock, kOnFault };

SyscallResult Lock(Task& task, UserAddr address, size_t length, LockKind kind) {
  const uint64_t base = hal::RoundDown(address.address);
  const uint64_t size = hal::RoundUp(length + (address.address - base));
  if (base + size < base || size < length) return Errno::kEINVAL;
  const bool lock = kind != LockKind::kUnlock;
  // What is locked already does not count twice.
  if (lock) TRY(CheckLockLimit(task, size - LockedBytes(task, {base, size})));
  if (size == 0) return 0;
  TRY(task.region().SetLocked({base, size}, lock));
  if (kind == LockKind::kLock) TRY(task.region().MakeResident({base, size}));
  return 0;
}

// Every mapping there is, one after another: the region may change between two.
Result<void> LockAll(Task& task, LockKind kind) {
  for (hal::vaddr_t at = 0;;) {
    const auto mapping = task.region().FindFrom(at);
    if (!mapping) return {};
    at = mapping->range.end();
    if (HasAny(mapping->flags, MapFlags::kVdso)) continue;
    const auto done = task.region().SetLocked(mapping->range, kind != LockKind::kUnlock);
    if (!done.ok() && done.error() != Errno::kENOMEM) return done.error();
    if (kind != LockKind::kLock) continue;
    const auto resident = task.region().MakeResident(mapping->range);
    if (!resident.ok() && resident.error() == Errno::kRestartNoIntr) return resident;
  }
}

}  // namespace

SyscallResult sys_mlock(Task& task, UserAddr address, size_t length) {
  return Lock(task, address, length, LockKind::kLock);
}

SyscallResult sys_mlock2(Task& task, UserAddr address, size_t length, uint32_t flags) {
  constexpr uint32_t kOnFault = 1;
  if (flags & ~kOnFault) return Errno::kEINVAL;
  return Lock(task, address, length, flags & kOnFault ? LockKind::kOnFault : LockKind::kLock);
}

SyscallResult sys_munlock(Task& task, UserAddr address, size_t length) {
  return Lock(task, address, length, LockKind::kUnlock);
}

SyscallResult sys_mlockall(Task& task, uint32_t flags) {
  constexpr uint32_t kCurrent = 1, kFuture = 2, kOnFault = 4;
  if (flags == 0 || (flags & ~(kCurrent | kFuture | kOnFault)) || flags == kOnFault)
    return Errno::kEINVAL;
  if (flags & kCurrent) {
    TRY(CheckLockLimit(task, task.region().totals().total_bytes));
    TRY(LockAll(task, flags & kOnFault ? LockKind::kOnFault : LockKind::kLock));
  } else {
    TRY(CheckLockLimit(task, 0));
  }
  task.memory_context().lock_on_fault = (flags & kOnFault) != 0;
  task.memory_context().lock_future = (flags & kFuture) != 0;
  return 0;
}

SyscallResult sys_munlockall(Task& task) {
  task.memory_context().lock_future = false;
  TRY(LockAll(task, LockKind::kUnlock));
  return 0;
}

SyscallResult sys_brk(Task& task, UserAddr address) {
  MutexLock lock(task.memory_context().brk_lock);
  VmAddressRegion& region = task.region();
  auto landmarks = region.landmarks();
  const uint64_t wanted = address.address;
  if (wanted < landmarks.start_brk) return landmarks.brk;
  const uint64_t old_top = hal::RoundUp(landmarks.brk), new_top = hal::RoundUp(wanted);
  if (new_top < wanted) return landmarks.brk;
  if (new_top > old_top) {
    const uint64_t limit = task.group().limits().soft(Limit::kData);
    if (limit != kUnlimited &&
        (wanted - landmarks.start_brk) + (landmarks.end_data - landmarks.start_data) > limit)
      return landmarks.brk;
    Mapping mapping;
    mapping.range = {old_top, new_top - old_top};
    mapping.access = Access::kRead | Access::kWrite;
    if (task.personality & kReadImpliesExec) mapping.access |= Access::kExecute;
    mapping.flags = MapFlags::kPrivate | MapFlags::kFixed | MapFlags::kHeap;
    if (!region.Map(std::move(mapping)).ok()) return landmarks.brk;
  } else if (new_top < old_top) {
    if (!region.Unmap({new_top, old_top - new_top}).ok()) return landmarks.brk;
  }
  landmarks.brk = wanted;
  region.SetLandmarks(landmarks);
  return wanted;
}

}  // namespace zrun::compat
