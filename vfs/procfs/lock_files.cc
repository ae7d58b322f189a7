#include <algorithm>

#include "vfs/file_locks.h"
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
          " ADVISORY  ", lock.exclusive ? "WRITE " : "READ ", lock.process_id, ' ',
          Hex{DeviceMajor(file.device), 2}, ':', Hex{DeviceMinor(file.device), 2}, ':', file.inode,
          ' ', lock.first, ' ');
    if (lock.last == FileLock::kToEnd) {
      out_.Append("EOF\n");
    } else {
      Write(out_, lock.last, '\n');
    }
  }

 private:
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
      if (locks.empty()) continue;
      const Attributes attributes = TRY(IdentityOf(*vnode));
      for (const FileLock& lock : locks) writer.Add(lock, attributes);
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
  return {};
}

}  // namespace zrun::vfs
