#include "compat/pid_table.h"

#include <utility>

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
  for (Chunk* chunk : chunks_) delete chunk;
}

PidTable::Entry* PidTable::Find(int32_t number) const {
  if (number <= 0 || number >= kMaxPid) return nullptr;
  Chunk* chunk = chunks_[number / kChunk];
  return chunk ? &chunk->entries[number % kChunk] : nullptr;
}

Result<void> PidTable::Take(int32_t number) {
  Chunk*& chunk = chunks_[number / kChunk];
  if (!chunk) chunk = TRY(MakeOwned<Chunk>()).release();
  Entry& entry = chunk->entries[number % kChunk];
  if (entry.allocated) return Errno::kEEXIST;
  entry.allocated = true;
  chunk->allocated++;
  return {};
}

Result<int32_t> PidTable::Allocate() {
  int32_t number = last_;
  for (int32_t tries = 0; tries < kMaxPid; tries++) {
    if (++number >= kMaxPid) number = kReserved;
    const auto taken = Take(number);
    if (!taken.ok() && taken.error() == Errno::kEEXIST) continue;
    TRY(taken);
    SetLast(number);
    return number;
  }
  return Errno::kEAGAIN;
}

Result<void> PidTable::AllocateExactly(int32_t number) {
  if (number <= 0 || number >= kMaxPid) return Errno::kEINVAL;
  TRY(Take(number));
  if (number > last_) SetLast(number);
  return {};
}

void PidTable::SetLast(int32_t number) {
  const int32_t before = std::exchange(last_, number) / kChunk;
  if (before != number / kChunk) FreeIfEmpty(before);
}

void PidTable::FreeIfUnused(int32_t number) {
  Entry* entry = Find(number);
  if (!entry || entry->used() || !entry->allocated) return;
  entry->allocated = false;
  chunks_[number / kChunk]->allocated--;
  if (number / kChunk != last_ / kChunk) FreeIfEmpty(number / kChunk);
}

void PidTable::FreeIfEmpty(int32_t index) {
  Chunk* chunk = chunks_[index];
  if (!chunk || chunk->allocated > 0) return;
  chunks_[index] = nullptr;
  delete chunk;
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
    const Chunk* chunk = chunks_[number / kChunk];
    if (!chunk) {
      number = (number / kChunk + 1) * kChunk - 1;
      continue;
    }
    if (chunk->entries[number % kChunk].group) return number;
  }
  return -1;
}

}  // namespace zrun::compat
