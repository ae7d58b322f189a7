// System V shared memory: shmget(2), shmop(2), shmctl(2).
#include "compat/syscall_table.h"
#include "compat/sysv_ipc.h"
#include "vfs/anonymous.h"

namespace zrun::compat {
namespace {

using hal::Access;

enum : int32_t { kReadOnly = 010000, kRound = 020000, kRemap = 040000, kExecute = 0100000 };
enum : int32_t { kLock = 11, kUnlock = 12, kStat = 13, kInfo = 14, kStatAny = 15 };
constexpr int32_t kHugePages = 04000;
constexpr uint32_t kDestroyed = 01000, kLocked = 02000;  // in the mode that is shown
constexpr uint64_t kMaxPages = ~uint64_t{0} - (1 << 24);
using vfs::ipc_settings;

class Attachment;

struct Segment final : RefCounted<Segment>, IpcObject {
  uint64_t size = 0;
  RefPtr<VmObject> memory;
  int64_t attach_time = 0, detach_time = 0;
  int32_t creator = 0, last = 0;
  IntrusiveList<Attachment, Attachment> attachments;
  size_t attached();
};

constinit Segment* g_segment_slots[IpcTable<Segment>::kIndices];
constinit IpcTable<Segment> g_segments(g_segment_slots, ipc_settings.shmmni,
                                       ipc_settings.shm_next_id);

// What an shmat() made, kept by the mappings that have come of it: of the process itself, of its
// forks, parts that were split off.
class Attachment final : public vfs::FileDescription, public ListNode<Attachment> {
 public:
  Attachment(vfs::Path path, vfs::OpenFlags flags, RefPtr<Segment> segment)
      : FileDescription(std::move(path), flags, Signals::kNone), segment_(std::move(segment)) {}
  ~Attachment() override {
    MutexLock lock(g_segments.lock);
    if (!is_linked()) return;
    segment_->attachments.Remove(*this);
    segment_->detach_time = IpcNow();
    if (const auto* task = static_cast<Task*>(Thread::Current()))
      segment_->last = task->group().pid();
    if ((segment_->mode & kDestroyed) && segment_->attachments.empty())
      g_segments.Remove(*segment_);
  }
  Kind kind() const override { return Kind::kSharedMemory; }
  Segment& segment() { return *segment_; }

 private:
  const RefPtr<Segment> segment_;
};

// As on Linux, every mapping counts.
size_t Segment::attached() {
  size_t count = 0;
  for (Attachment& attachment : attachments) count += attachment.ref_count();
  return count;
}

Attachment* AttachmentOf(const Mapping& mapping) {
  const auto file = Downcast<vfs::FileDescription>(mapping.file);
  if (!file || file->kind() != vfs::FileDescription::Kind::kSharedMemory) return nullptr;
  return static_cast<Attachment*>(file.get());
}

}  // namespace

Result<void> UnmapIfRemoved(Task& task, const Mapping& mapping, hal::VirtRange range) {
  Attachment* const attachment = AttachmentOf(mapping);
  if (!attachment) return {};
  Segment& segment = attachment->segment();
  {
    MutexLock lock(g_segments.lock);
    if (!(segment.mode & kDestroyed)) return {};
  }
  TRY(task.region().Unmap(range));
  MutexLock lock(g_segments.lock);
  return segment.attached() > 1 ? Result<void>() : Errno::kEINVAL;  // the caller's copy is one
}

namespace {

Result<void> Place(Mapping& mapping, uint64_t address, int32_t flags) {
  mapping.range.base = address;
  if (address == 0) {
    if (flags & kRemap) return Errno::kEINVAL;
    return {};
  }
  if (address & hal::kPageMask) {
    if (!(flags & kRound)) return Errno::kEINVAL;
    mapping.range.base = hal::RoundDown(address);
    if (mapping.range.base == 0 && (flags & kRemap)) return Errno::kEINVAL;
  }
  mapping.flags |= MapFlags::kFixed;
  if (flags & kRemap) mapping.flags |= MapFlags::kReplace;
  return {};
}

abi::ShmidDs Describe(Segment& segment) REQUIRES(g_segments.lock) {
  abi::ShmidDs out = {};
  out.perm = segment.ToPerm();
  out.size = segment.size;
  out.atime = segment.attach_time;
  out.dtime = segment.detach_time;
  out.ctime = segment.change_time;
  out.creator = segment.creator;
  out.last = segment.last;
  out.attached = segment.attached();
  return out;
}

void RemoveSegment(Segment& segment) REQUIRES(g_segments.lock) {
  if (segment.attachments.empty()) {
    g_segments.Remove(segment);
    return;
  }
  // It goes with its last attachment; nobody finds it by its key any more.
  segment.mode |= kDestroyed;
  segment.key = kIpcPrivate;
}

SyscallResult TellLimits(Task& task, UserAddr argument) {
  abi::ShmInfo64 out = {};
  out.max_size = ipc_settings.shmmax.load();
  out.max_pages = kMaxPages;
  out.min_size = 1;
  out.max_segments = out.max_per_process = uint64_t(ipc_settings.shmmni.get());
  TRY(task.memory().Write(UserPtr<abi::ShmInfo64>(argument.address), out));
  MutexLock lock(g_segments.lock);
  return uint64_t(g_segments.highest());
}

SyscallResult TellUse(Task& task, UserAddr argument) {
  abi::ShmInfo out = {};
  int32_t highest;
  {
    MutexLock lock(g_segments.lock);
    highest = g_segments.highest();
    out.used = g_segments.count();
    g_segments.ForEach([&](Segment& segment) {
      out.pages += hal::RoundUp(segment.size) / hal::kPageSize;
      out.resident += segment.memory->committed_bytes() / hal::kPageSize;
    });
  }
  TRY(task.memory().Write(UserPtr<abi::ShmInfo>(argument.address), out));
  return uint64_t(highest);
}

}  // namespace

SyscallResult sys_shmget(Task& task, int32_t key, uint64_t size, int32_t flags) {
  const auto make = [&]() -> Result<RefPtr<Segment>> {
    if (size == 0 || size > ipc_settings.shmmax.load()) return Errno::kEINVAL;
    if (flags & kHugePages) return Errno::kENOMEM;  // none are reserved
    auto segment = TRY(MakeRef<Segment>());
    segment->memory = TRY(VmObject::CreateAnonymous(hal::RoundUp(size)));
    segment->size = size;
    segment->creator = task.group().pid();
    return segment;
  };
  const auto check = [&](Segment& found) -> Result<void> {
    if (size > found.size) return Errno::kEINVAL;
    return {};
  };
  return GetIpc(task, g_segments, key, flags, check, make);
}

SyscallResult sys_shmat(Task& task, int32_t id, UserAddr address, int32_t flags) {
  Mapping mapping;
  TRY(Place(mapping, address.address, flags));
  const bool read_only = flags & kReadOnly;
  mapping.access = read_only ? Access::kRead : Access::kRead | Access::kWrite;
  uint32_t wanted = read_only ? kIpcRead : kIpcRead | kIpcWrite;
  if (flags & kExecute) {
    mapping.access |= Access::kExecute;
    wanted |= 0111;
  }
  if (read_only) mapping.max_access = Access::kRead | Access::kExecute;

  const auto credentials = task.credentials();
  RefPtr<Segment> segment;
  {
    MutexLock lock(g_segments.lock);
    segment = RefPtr<Segment>(TRY(g_segments.Find(id)));
    TRY(segment->CheckAccess(*credentials, wanted));
  }
  const TextBuffer<16> name("SYSV", Hex{uint32_t(segment->key), 8});
  auto attachment = TRY(MakeRef<Attachment>(
      TRY(vfs::MakeAnonymousPath(name.view(), 0600)),
      read_only ? vfs::OpenFlags::kReadOnly : vfs::OpenFlags::kReadWrite, segment));
  {
    MutexLock lock(g_segments.lock);
    TRY(g_segments.Find(id));  // or it has gone meanwhile
    segment->attachments.PushBack(*attachment);
    segment->attach_time = IpcNow();
    segment->last = task.group().pid();
  }
  mapping.range.size = hal::RoundUp(segment->size);
  mapping.object = segment->memory;
  mapping.file = std::move(attachment);
  const auto mapped = task.region().Map(std::move(mapping));
  if (!mapped.ok() && mapped.error() == Errno::kEEXIST) return Errno::kEINVAL;
  return TRY(mapped);
}

// Whatever is left of the attachment that began at |address|.
SyscallResult sys_shmdt(Task& task, UserAddr address) {
  if (address.address & hal::kPageMask) return Errno::kEINVAL;
  RefPtr<KernelObject> file;
  uint64_t end = 0;
  for (hal::vaddr_t at = address.address;;) {
    const auto mapping = task.region().FindFrom(at);
    if (!mapping || (file && mapping->range.base >= end)) break;
    at = mapping->range.end();
    Attachment* const attachment = AttachmentOf(*mapping);
    if (attachment && mapping->range.base - address.address == mapping->object_offset &&
        (!file || mapping->file == file)) {
      file = mapping->file;
      end = address.address + hal::RoundUp(attachment->segment().size);
      TRY(task.region().Unmap(mapping->range));
    } else if (!file) {
      break;
    }
  }
  if (!file) return Errno::kEINVAL;
  MutexLock lock(g_segments.lock);
  Segment& segment = static_cast<Attachment*>(file.get())->segment();
  segment.detach_time = IpcNow();
  segment.last = task.group().pid();
  return 0;
}

SyscallResult sys_shmctl(Task& task, int32_t id, int32_t command, UserAddr argument) {
  if (id < 0) return Errno::kEINVAL;
  const auto credentials = task.credentials();
  switch (command) {
    case kIpcInfo:
      return TellLimits(task, argument);
    case kInfo:
      return TellUse(task, argument);
    case kIpcStat:
    case kStat:
    case kStatAny:
      return StatIpc(task, g_segments, id, command != kIpcStat, command == kStatAny, Describe,
                     argument);
    case kIpcSet: {
      const auto wanted = TRY(task.memory().Read(UserPtr<const abi::ShmidDs>(argument.address)));
      MutexLock lock(g_segments.lock);
      Segment* const segment = TRY(g_segments.Find(id));
      TRY(segment->CheckOwner(*credentials));
      TRY(segment->Change(wanted.perm));
      return 0;
    }
    case kIpcRemove: {
      MutexLock lock(g_segments.lock);
      Segment* const segment = TRY(g_segments.Find(id));
      TRY(segment->CheckOwner(*credentials));
      RemoveSegment(*segment);
      return 0;
    }
    case kLock:
    case kUnlock: {
      MutexLock lock(g_segments.lock);
      Segment* const segment = TRY(g_segments.Find(id));
      if (!task.Has(vfs::Capability::kIpcLock)) {
        if (credentials->euid != segment->uid && credentials->euid != segment->cuid)
          return Errno::kEPERM;
        if (command == kLock && task.group().limits().soft(Limit::kLocked) == 0)
          return Errno::kEPERM;
      }
      segment->mode = command == kLock ? segment->mode | kLocked : segment->mode & ~kLocked;
      return 0;
    }
    default:
      return Errno::kEINVAL;
  }
}

void ShowSharedMemory(TextSink& out) {
  out.Append(
      "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid"
      "      atime      dtime      ctime                   rss                  swap\n");
  MutexLock lock(g_segments.lock);
  // The analysis does not see the lock in here.
  g_segments.ForEach([&](Segment& segment) NO_THREAD_SAFETY_ANALYSIS {
    const abi::ShmidDs s = Describe(segment);
    const TextBuffer<12> mode(Octal{s.perm.mode});
    Write(out, Pad{int64_t(s.perm.key), 10}, ' ', Pad{int64_t(segment.id), 10}, "  ",
          PadText{mode.view(), 4}, ' ', Pad{int64_t(s.size), 21}, ' ', Pad{int64_t(s.creator), 5},
          ' ', Pad{int64_t(s.last), 5}, "  ", Pad{int64_t(s.attached), 5}, ' ',
          Pad{int64_t(s.perm.uid), 5}, ' ', Pad{int64_t(s.perm.gid), 5}, ' ',
          Pad{int64_t(s.perm.cuid), 5}, ' ', Pad{int64_t(s.perm.cgid), 5}, ' ',
          Pad{int64_t(s.atime), 10}, ' ', Pad{int64_t(s.dtime), 10}, ' ', Pad{int64_t(s.ctime), 10},
          ' ', Pad{int64_t(segment.memory->committed_bytes()), 21}, ' ', Pad{int64_t(0), 21}, '\n');
  });
}

}  // namespace zrun::compat
