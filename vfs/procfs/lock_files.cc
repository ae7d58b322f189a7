#include <algorithm>

#include "vfs/file_locks.h"
#include "vfs/leases.h"
#include "vfs/procfs/proc_entry.h"

// Advisory locks: /proc/locks, and the "lock:" lines of /proc/PID/fdinfo.
namespace zrun::vfs {
namespace {

// Locks are numbered from 1 on.
class LockWriter {
 public:
  LockWriter(TextSink& out, std::string_view prefix) : out_(out), prefix_(prefix) {}
  void Add(const FileLock& lock, const Attributes& file) {
    using Kind = FileLockOwner::Kind;
    const Kind kind = lock.owner.kind;
    Write(out_, prefix_, ++number_, ": ",
          kind == Kind::kFlock     ? "FLOCK "
          : kind == Kind::kProcess ? "POSIX "
                                   : "OFDLCK",
          " ADVISORY  ", lock.exclusive ? "WRITE " : "READ ", lock.process_id, ' ');
    AddIdentity(file);
    Write(out_, ' ', lock.first, ' ');
    if (lock.last == FileLock::kToEnd) {
      out_.Append("EOF\n");
    } else {
      Write(out_, lock.last, '\n');
    }
  }
  void Add(const LeaseInfo& lease, const Attributes& file) {
    constexpr std::string_view kTypes[] = {"READ ", "WRITE ", "UNLCK "};
    Write(out_, prefix_, ++number_, ": LEASE  ", lease.breaking ? "BREAKING  " : "ACTIVE    ",
          kTypes[size_t(lease.type)], lease.process_id, ' ');
    AddIdentity(file);
    out_.Append(" 0 EOF\n");
  }

 private:
  void AddIdentity(const Attributes& file) {
    Write(out_, Hex{DeviceMajor(file.device), 2}, ':', Hex{DeviceMinor(file.device), 2}, ':',
          file.inode);
  }
  TextSink& out_;
  const std::string_view prefix_;
  unsigned number_ = 0;
};

Result<Vector<FileLock>> LocksOf(Vnode& vnode) {
  FileLocks* const locks = vnode.existing_locks();
  return locks ? locks->List() : Vector<FileLock>();
}

Result<Attributes> IdentityOf(Vnode& vnode) {
  Attributes attributes = TRY(vnode.GetAttributes());
  if (attributes.device == 0) attributes.device = vnode.file_system().device();
  return attributes;
}

}  // namespace

// A lock goes with the last descriptor of what holds it: who looks at all descriptors sees all
// locks but those of files that are on their way in a message.
Result<void> ShowLocks(const ProcRequest& request, TextSink& out) {
  ProcSource& source = request.source;
  LockWriter writer(out, "");
  Vector<RefPtr<Vnode>> seen;
  for (int32_t pid = source.NextProcess(0); pid >= 0; pid = source.NextProcess(pid + 1)) {
    const ProcId id{pid, 0};
    for (int fd = source.NextFd(id, 0); fd >= 0; fd = source.NextFd(id, fd + 1)) {
      const auto open = source.File(id, fd);
      RefPtr<Vnode> vnode = open.ok() ? open.value().file->path().vnode() : nullptr;
      if (!vnode || std::find(seen.begin(), seen.end(), vnode) != seen.end()) continue;
      const auto locks = TRY(LocksOf(*vnode));
      const auto leases = TRY(ListLeases(*vnode));
      if (locks.empty() && leases.empty()) continue;
      const Attributes attributes = TRY(IdentityOf(*vnode));
      for (const FileLock& lock : locks) writer.Add(lock, attributes);
      for (const LeaseInfo& lease : leases) writer.Add(lease, attributes);
      TRY(seen.PushBack(std::move(vnode)));
    }
  }
  return {};
}

Result<void> ShowLocksOf(FileDescription& file, TextSink& out) {
  const auto vnode = file.path().vnode();
  if (!vnode) return {};
  LockWriter writer(out, "lock:\t");
  const auto locks = TRY(LocksOf(*vnode));
  for (const FileLock& lock : locks)
    if (lock.file == &file) writer.Add(lock, TRY(IdentityOf(*vnode)));
  for (const LeaseInfo& lease : TRY(ListLeases(*vnode)))
    if (lease.file == &file) writer.Add(lease, TRY(IdentityOf(*vnode)));
  return {};
}

}  // namespace zrun::vfs
