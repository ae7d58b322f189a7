// Advisory locks: flock(2) and fcntl(2)'s record locks.
#include "compat/file_params.h"
#include "compat/record_locks.h"
#include "compat/syscall_table.h"
#include "vfs/file_locks.h"

namespace zrun::compat {
namespace {

using vfs::FileLock;
using vfs::FileLockOwner;

constexpr int16_t kReadLock = 0, kWriteLock = 1, kNoLock = 2;  // F_RDLCK, F_WRLCK, F_UNLCK

FileLockOwner RecordOwner(Task& task, vfs::FileDescription& file, bool of_file) {
  // A process's locks go with its table of descriptors, which FdTable hands to OnClose().
  if (of_file) return {FileLockOwner::Kind::kDescription, &file};
  return {FileLockOwner::Kind::kProcess, &task.fds()};
}

Result<int64_t> StartOfWhence(vfs::FileDescription& file, int16_t whence) {
  switch (Whence(whence)) {
    case Whence::kSet:
      return 0;
    case Whence::kCurrent:
      return int64_t(TRY(file.Seek(0, int(Whence::kCurrent))));
    case Whence::kEnd:
      return int64_t(TRY(file.path().vnode()->GetAttributes()).size);
    default:
      return Errno::kEINVAL;
  }
}

// The range that a struct flock means (fcntl_locking(2)): a length of 0 reaches to the end of all
// files, a negative one lies before the start.
Result<FileLock> ToRange(Task& task, vfs::FileDescription& file, const abi::Flock& given,
                         bool of_file) {
  FileLock lock;
  int64_t start = TRY(StartOfWhence(file, given.whence));
  if (__builtin_add_overflow(start, given.start, &start)) return Errno::kEOVERFLOW;
  if (start < 0) return Errno::kEINVAL;
  lock.first = uint64_t(start);
  if (given.length > 0) {
    int64_t last;
    if (__builtin_add_overflow(start, given.length - 1, &last)) return Errno::kEOVERFLOW;
    lock.last = uint64_t(last);
  } else if (given.length < 0) {
    if (start + given.length < 0) return Errno::kEINVAL;
    lock.last = uint64_t(start - 1);
    lock.first = uint64_t(start + given.length);
  }
  lock.owner = RecordOwner(task, file, of_file);
  lock.exclusive = given.type == kWriteLock;
  lock.process_id = of_file ? -1 : task.group().pid();
  lock.file = &file;
  return lock;
}

// Waits for |lock| as long as it takes.
SyscallResult LockAndWait(Task& task, vfs::Vnode& vnode, vfs::FileLocks& locks,
                          const FileLock& lock) {
  // Who locks a shared file from outside tells nobody when he is done: look again, more and more
  // rarely.
  constexpr hal::Nanoseconds kFirstPause = 200'000, kLongestPause = 10'000'000;
  for (hal::Nanoseconds pause = kFirstPause;; pause = std::min(2 * pause, kLongestPause)) {
    const auto wait = TRY(locks.SetOrWait(vnode, lock));
    if (!wait) return 0;
    const auto deadline =
        wait->is_outer() ? hal::Deadline{hal::MonotonicNow() + pause} : hal::Deadline::Never();
    const auto waited = task.WaitFor(*wait, Signals::kSignaled, deadline);
    if (!waited.ok() && waited.error() != Errno::kETIMEDOUT) return waited.error();
  }
}

}  // namespace

SyscallResult GetRecordLock(Task& task, vfs::FileDescription& file, UserPtr<abi::Flock> pointer,
                            bool of_file) {
  auto given = TRY(task.memory().Read(pointer));
  if (given.type != kReadLock && given.type != kWriteLock && !(of_file && given.type == kNoLock))
    return Errno::kEINVAL;
  const FileLock range = TRY(ToRange(task, file, given, of_file));
  if (of_file && given.pid != 0) return Errno::kEINVAL;
  const auto vnode = file.path().vnode();
  const auto conflict = TRY(TRY(vnode->locks())->FindConflict(range));
  if (conflict) {
    given.type = conflict->exclusive ? kWriteLock : kReadLock;
    given.whence = int16_t(Whence::kSet);
    given.start = int64_t(conflict->first);
    given.length =
        conflict->last == FileLock::kToEnd ? 0 : int64_t(conflict->last - conflict->first + 1);
    given.pid = conflict->process_id;
  } else {
    given.type = kNoLock;
  }
  TRY(task.memory().Write(pointer, given));
  return 0;
}

SyscallResult SetRecordLock(Task& task, vfs::FileDescription& file,
                            UserPtr<const abi::Flock> pointer, bool of_file, bool wait) {
  const auto given = TRY(task.memory().Read(pointer));
  const FileLock lock = TRY(ToRange(task, file, given, of_file));
  if (of_file && given.pid != 0) return Errno::kEINVAL;
  const auto vnode = file.path().vnode();
  switch (given.type) {
    case kReadLock:
      if (!file.readable()) return Errno::kEBADF;
      break;
    case kWriteLock:
      if (!file.writable()) return Errno::kEBADF;
      break;
    case kNoLock:
      TRY(TRY(vnode->locks())->Clear(lock));
      return 0;
    default:
      return Errno::kEINVAL;
  }
  auto& locks = *TRY(vnode->locks());
  if (wait) return LockAndWait(task, *vnode, locks, lock);
  TRY(locks.Set(lock));
  return 0;
}

SyscallResult sys_flock(Task& task, Fd fd, LockOperation operation) {
  using enum LockOperation;
  const auto kind = operation & ~kNonBlocking;
  if (kind != kShared && kind != kExclusive && kind != kUnlock) return Errno::kEINVAL;
  const auto file = TRY(task.fds().Get(fd));
  const auto vnode = file->path().vnode();
  if (!vnode) return Errno::kEBADF;
  FileLock lock;
  lock.owner = {FileLockOwner::Kind::kFlock, file.get()};
  lock.exclusive = kind == kExclusive;
  lock.process_id = task.group().pid();
  lock.file = file.get();
  auto& locks = *TRY(vnode->locks());
  if (kind == kUnlock) {
    TRY(locks.Clear(lock));
    return 0;
  }
  if (!HasAny(operation, kNonBlocking)) return LockAndWait(task, *vnode, locks, lock);
  TRY(locks.Set(lock));
  return 0;
}

}  // namespace zrun::compat
