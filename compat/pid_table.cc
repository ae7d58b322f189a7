#include "compat/pid_table.h"

#include "compat/kernel.h"
#include "compat/thread_group.h"

namespace zrun::compat {

ProcessGroup::ProcessGroup(int32_t group_id, RefPtr<Session> in)
    : id(group_id), session(std::move(in)) {}

// The last reference is dropped with Kernel::lock held, as everything here is done; the analysis
// cannot see that in a destructor.
ProcessGroup::~ProcessGroup() NO_THREAD_SAFETY_ANALYSIS {
  PidTable& pids = Kernel::Get().pids();
  if (pids.FindProcessGroup(id) == this) pids.SetProcessGroup(id, nullptr);
}

Session::~Session() NO_THREAD_SAFETY_ANALYSIS {
  PidTable& pids = Kernel::Get().pids();
  if (pids.FindSession(id) == this) pids.SetSession(id, nullptr);
}

PidTable::~PidTable() {
  for (Entry* chunk : chunks_) delete[] chunk;
}

PidTable::Entry* PidTable::Find(int32_t number) const {
  if (number <= 0 || number >= kMaxPid) return nullptr;
  Entry* chunk = chunks_[number / kChunk];
  return chunk ? &chunk[number % kChunk] : nullptr;
}

Result<PidTable::Entry*> PidTable::FindOrMake(int32_t number) {
  Entry*& chunk = chunks_[number / kChunk];
  if (!chunk) {
    chunk = new (std::nothrow) Entry[kChunk];
    if (!chunk) return Errno::kENOMEM;
  }
  return &chunk[number % kChunk];
}

Result<int32_t> PidTable::Allocate() {
  int32_t number = last_;
  for (int32_t tries = 0; tries < kMaxPid; tries++) {
    if (++number >= kMaxPid) number = kReserved;
    Entry* entry = TRY(FindOrMake(number));
    if (entry->allocated) continue;
    entry->allocated = true;
    last_ = number;
    return number;
  }
  return Errno::kEAGAIN;
}

Result<void> PidTable::AllocateExactly(int32_t number) {
  if (number <= 0 || number >= kMaxPid) return Errno::kEINVAL;
  Entry* entry = TRY(FindOrMake(number));
  if (entry->allocated) return Errno::kEEXIST;
  entry->allocated = true;
  if (number > last_) last_ = number;
  return {};
}

void PidTable::FreeIfUnused(int32_t number) {
  Entry* entry = Find(number);
  if (entry && !entry->used()) entry->allocated = false;
}

Task* PidTable::FindTask(int32_t tid) const {
  Entry* entry = Find(tid);
  return entry ? entry->task : nullptr;
}
ThreadGroup* PidTable::FindGroup(int32_t pid) const {
  Entry* entry = Find(pid);
  return entry ? entry->group : nullptr;
}
ProcessGroup* PidTable::FindProcessGroup(int32_t id) const {
  Entry* entry = Find(id);
  return entry ? entry->process_group : nullptr;
}
Session* PidTable::FindSession(int32_t id) const {
  Entry* entry = Find(id);
  return entry ? entry->session : nullptr;
}

void PidTable::SetTask(int32_t number, Task* task) {
  if (Entry* entry = Find(number)) entry->task = task;
  FreeIfUnused(number);
}
void PidTable::SetGroup(int32_t number, ThreadGroup* group) {
  if (Entry* entry = Find(number)) entry->group = group;
  FreeIfUnused(number);
}
void PidTable::SetProcessGroup(int32_t number, ProcessGroup* group) {
  if (Entry* entry = Find(number)) entry->process_group = group;
  FreeIfUnused(number);
}
void PidTable::SetSession(int32_t number, Session* session) {
  if (Entry* entry = Find(number)) entry->session = session;
  FreeIfUnused(number);
}

int32_t PidTable::NextGroup(int32_t from) const {
  for (int32_t number = from < 1 ? 1 : from; number < kMaxPid; number++) {
    const Entry* chunk = chunks_[number / kChunk];
    if (!chunk) {
      number = (number / kChunk + 1) * kChunk - 1;
      continue;
    }
    if (chunk[number % kChunk].group) return number;
  }
  return -1;
}

}  // namespace zrun::compat
