#pragma once
#include "compat/number_set.h"
#include "compat/syscall_types.h"
#include "objects/handle.h"
#include "vfs/file_description.h"

namespace zrun::compat {

// The open files of a process (Linux: files_struct); shared by CLONE_FILES. A descriptor is a
// number for a Handle; a file opened read-only has a handle without kWrite.
class FdTable : public RefCounted<FdTable> {
 public:
  static Result<RefPtr<FdTable>> Create();
  ~FdTable();
  // fork: a copy with the same descriptors.
  Result<RefPtr<FdTable>> Clone() EXCLUDES(lock_);

  // EBADF unless |fd| is open and its handle has |needed| (EBADF too, as read(2) on a write-only
  // file says). O_PATH files are EBADF unless |allow_path|.
  Result<RefPtr<vfs::FileDescription>> Get(Fd fd, Rights needed = Rights::kNone,
                                           bool allow_path = false) EXCLUDES(lock_);
  Result<Handle> GetHandle(Fd fd) EXCLUDES(lock_);
  // The lowest free number >= |lowest| and < |limit| (RLIMIT_NOFILE): EMFILE.
  Result<Fd> Add(Handle file, bool close_on_exec, uint64_t limit, int lowest = 0) EXCLUDES(lock_);
  // Two steps, for calls that copy the number out before the file appears: nothing leaks if the
  // copy fails.
  Result<Fd> Reserve(uint64_t limit, int lowest = 0) EXCLUDES(lock_);
  void Publish(Fd reserved, Handle file, bool close_on_exec) EXCLUDES(lock_);
  void Unreserve(Fd reserved) EXCLUDES(lock_);
  // dup2/dup3: replaces what is there. EBUSY if |fd| is reserved.
  Result<void> Set(Fd fd, Handle file, bool close_on_exec, uint64_t limit) EXCLUDES(lock_);
  Result<void> Close(Fd fd) EXCLUDES(lock_);
  Result<void> CloseRange(uint32_t first, uint32_t last, bool only_set_cloexec) EXCLUDES(lock_);
  void CloseOnExec() EXCLUDES(lock_);
  Result<bool> close_on_exec(Fd fd) EXCLUDES(lock_);
  Result<void> SetCloseOnExec(Fd fd, bool value) EXCLUDES(lock_);
  // The lowest open descriptor >= |from|, for /proc/PID/fd; -1 past the last.
  int NextOpen(int from) EXCLUDES(lock_);
  // How many descriptors there is room for (FDSize of /proc/PID/status).
  size_t capacity() EXCLUDES(lock_);

 private:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> zrun::MakeRef(Args&&...);
  FdTable() = default;
  struct Entry {
    Handle file;
    bool close_on_exec = false;
    bool reserved = false;
  };
  // |entries| become those of a table that nobody else can reach yet.
  Result<void> Fill(Vector<Entry> entries) EXCLUDES(lock_);
  void DropFile(Handle file) EXCLUDES(lock_);
  Entry* Find(Fd fd) REQUIRES(lock_);
  Result<void> GrowFor(size_t index) REQUIRES(lock_);
  Result<size_t> Allocate(uint64_t limit, int lowest) REQUIRES(lock_);
  Handle Take(size_t index) REQUIRES(lock_);
  Mutex lock_{LockRank::kFdTable};
  Vector<Entry> entries_ GUARDED_BY(lock_);
  NumberSet taken_ GUARDED_BY(lock_);  // open or reserved
  // No number below it is free.
  size_t lowest_free_ GUARDED_BY(lock_) = 0;
};

}  // namespace zrun::compat
