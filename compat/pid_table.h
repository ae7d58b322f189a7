#pragma once
#include "base/ref_ptr.h"
#include "base/vector.h"
#include "compat/process_group.h"

namespace zrun::compat {

class Task;

// Who has which number. A number is taken while a thread, a process, a process group or a session
// uses it. All methods need the pid table's lock (Kernel::lock).
class PidTable {
 public:
  static constexpr int32_t kMaxPid = 32768;  // exclusive, as /proc/sys/kernel/pid_max
  // Linux starts over here when the numbers wrap.
  static constexpr int32_t kReserved = 300;

  ~PidTable();
  // The next free number, held for the caller; EAGAIN when there is none.
  Result<int32_t> Allocate();
  // A certain number (clone3's set_tid, the first process): EEXIST, EINVAL.
  Result<void> AllocateExactly(int32_t number);
  // Gives up a number that Allocate gave and nothing uses.
  void Cancel(int32_t number) { FreeIfUnused(number); }

  Task* FindTask(int32_t tid) const;
  // A process, also when it is a zombie.
  ThreadGroup* FindGroup(int32_t pid) const;
  ProcessGroup* FindProcessGroup(int32_t id) const;
  Session* FindSession(int32_t id) const;

  // Null takes away; the number becomes free when nothing uses it.
  void SetTask(int32_t number, Task* task);
  void SetGroup(int32_t number, ThreadGroup* group);
  void SetProcessGroup(int32_t number, ProcessGroup* group);
  void SetSession(int32_t number, Session* session);

  // The lowest number of a process >= |from|; -1 past the last. For kill(-1) and /proc.
  int32_t NextGroup(int32_t from) const;
  // The next number is looked for behind this one.
  int32_t last() const { return last_; }
  void SetLast(int32_t number);

 private:
  struct Entry {
    Task* task = nullptr;
    ThreadGroup* group = nullptr;
    ProcessGroup* process_group = nullptr;
    Session* session = nullptr;
    bool allocated = false;
    bool used() const { return task || group || process_group || session; }
  };
  // Exists while one of its numbers is allocated, or the next one may be.
  static constexpr int32_t kChunk = 128;
  struct Chunk {
    Entry entries[kChunk];
    int32_t allocated = 0;
  };
  Entry* Find(int32_t number) const;
  Result<void> Take(int32_t number);  // EEXIST
  void FreeIfUnused(int32_t number);
  void FreeIfEmpty(int32_t index);
  Chunk* chunks_[kMaxPid / kChunk] = {};
  int32_t last_ = 0;
};

}  // namespace zrun::compat
