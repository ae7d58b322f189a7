#include "compat/fd_table.h"

namespace zrun::compat {
namespace {

// Linux's sysctl fs.nr_open: no limit may exceed it.
constexpr uint64_t kMaxDescriptors = 1048576;

}  // namespace

Result<RefPtr<FdTable>> FdTable::Create() { return MakeRef<FdTable>(); }

FdTable::~FdTable() {
  for (Entry& entry : entries_) DropFile(std::move(entry.file));
}

// What close(2) does to the file, with no lock held: it may sleep, and may take a pipe's lock.
void FdTable::DropFile(Handle file) {
  if (auto description = Downcast<vfs::FileDescription>(file.object())) description->OnClose(this);
}

Result<RefPtr<FdTable>> FdTable::Clone() {
  auto copy = TRY(MakeRef<FdTable>());
  Vector<Entry> entries;
  {
    MutexLock lock(lock_);
    size_t used = entries_.size();
    while (used > 0 && !entries_[used - 1].file) used--;
    TRY(entries.Reserve(used));
    for (size_t i = 0; i < used; i++) {
      Entry entry;
      if (entries_[i].file) entry.file = TRY(entries_[i].file.Duplicate());
      entry.close_on_exec = entries_[i].close_on_exec;
      TRY(entries.PushBack(std::move(entry)));
    }
  }
  TRY(copy->Fill(std::move(entries)));
  return copy;
}

Result<void> FdTable::Fill(Vector<Entry> entries) {
  MutexLock lock(lock_);
  TRY(taken_.Grow(entries.size()));
  entries_ = std::move(entries);
  for (size_t i = 0; i < entries_.size(); i++)
    if (entries_[i].file) taken_.Take(i);
  return {};
}

FdTable::Entry* FdTable::Find(Fd fd) {
  if (fd.value < 0 || size_t(fd.value) >= entries_.size()) return nullptr;
  Entry& entry = entries_[size_t(fd.value)];
  return entry.file ? &entry : nullptr;
}

Result<RefPtr<vfs::FileDescription>> FdTable::Get(Fd fd, Rights needed, bool allow_path) {
  MutexLock lock(lock_);
  Entry* entry = Find(fd);
  if (!entry || !HasAll(entry->file.rights(), needed)) return Errno::kEBADF;
  auto file = Downcast<vfs::FileDescription>(entry->file.object());
  if (!file || (!allow_path && HasAny(file->flags(), vfs::OpenFlags::kPath))) return Errno::kEBADF;
  return file;
}

Result<Handle> FdTable::GetHandle(Fd fd) {
  MutexLock lock(lock_);
  Entry* entry = Find(fd);
  if (!entry) return Errno::kEBADF;
  return entry->file.Duplicate();
}

// Room doubles, so that many descriptors opened one after another cost the same each.
Result<void> FdTable::GrowFor(size_t index) {
  if (index < entries_.size()) return {};
  if (index >= entries_.capacity()) {
    const size_t room = std::bit_ceil(std::max<size_t>(index + 1, 64));
    TRY(entries_.Reserve(std::min<size_t>(room, kMaxDescriptors)));
  }
  TRY(taken_.Grow(entries_.capacity()));
  return entries_.Resize(index + 1);
}

Result<size_t> FdTable::Allocate(uint64_t limit, int lowest) {
  limit = std::min(limit, kMaxDescriptors);
  const size_t index = taken_.NextFree(std::max(size_t(lowest), lowest_free_));
  if (index >= limit) return Errno::kEMFILE;
  TRY(GrowFor(index));
  taken_.Take(index);
  if (size_t(lowest) <= lowest_free_) lowest_free_ = index + 1;
  return index;
}

Result<Fd> FdTable::Add(Handle file, bool close_on_exec, uint64_t limit, int lowest) {
  MutexLock lock(lock_);
  const size_t index = TRY(Allocate(limit, lowest));
  entries_[index].file = std::move(file);
  entries_[index].close_on_exec = close_on_exec;
  return Fd{int32_t(index)};
}

Result<Fd> FdTable::Reserve(uint64_t limit, int lowest) {
  MutexLock lock(lock_);
  const size_t index = TRY(Allocate(limit, lowest));
  entries_[index].reserved = true;
  return Fd{int32_t(index)};
}

void FdTable::Publish(Fd reserved, Handle file, bool close_on_exec) {
  MutexLock lock(lock_);
  Entry& entry = entries_[size_t(reserved.value)];
  CHECK(entry.reserved);
  entry.reserved = false;
  entry.file = std::move(file);
  entry.close_on_exec = close_on_exec;
}

void FdTable::Unreserve(Fd reserved) {
  MutexLock lock(lock_);
  const size_t index = size_t(reserved.value);
  CHECK(entries_[index].reserved);
  entries_[index].reserved = false;
  taken_.Free(index);
  lowest_free_ = std::min(lowest_free_, index);
}

Result<void> FdTable::Set(Fd fd, Handle file, bool close_on_exec, uint64_t limit) {
  if (fd.value < 0 || uint64_t(fd.value) >= std::min(limit, kMaxDescriptors)) return Errno::kEBADF;
  Handle old;
  {
    MutexLock lock(lock_);
    const size_t index = size_t(fd.value);
    TRY(GrowFor(index));
    Entry& entry = entries_[index];
    if (entry.reserved) return Errno::kEBUSY;
    old = std::move(entry.file);
    entry.file = std::move(file);
    entry.close_on_exec = close_on_exec;
    taken_.Take(index);
  }
  DropFile(std::move(old));
  return {};
}

Handle FdTable::Take(size_t index) {
  Handle file = std::move(entries_[index].file);
  entries_[index].close_on_exec = false;
  taken_.Free(index);
  lowest_free_ = std::min(lowest_free_, index);
  return file;
}

Result<void> FdTable::Close(Fd fd) {
  Handle file;
  {
    MutexLock lock(lock_);
    if (!Find(fd)) return Errno::kEBADF;
    file = Take(size_t(fd.value));
  }
  DropFile(std::move(file));
  return {};
}

Result<void> FdTable::CloseRange(uint32_t first, uint32_t last, bool only_set_cloexec) {
  if (first > last) return Errno::kEINVAL;
  for (uint64_t index = first; index <= last; index++) {
    Handle file;
    {
      MutexLock lock(lock_);
      while ((index = taken_.NextTaken(index)) < entries_.size() && !entries_[index].file) index++;
      if (index >= entries_.size() || index > last) return {};
      if (only_set_cloexec) {
        entries_[index].close_on_exec = true;
        continue;
      }
      file = Take(index);
    }
    DropFile(std::move(file));
  }
  return {};
}

void FdTable::CloseOnExec() {
  for (size_t index = 0;; index++) {
    Handle file;
    {
      MutexLock lock(lock_);
      while (index < entries_.size() && !(entries_[index].file && entries_[index].close_on_exec))
        index++;
      if (index >= entries_.size()) return;
      file = Take(index);
    }
    DropFile(std::move(file));
  }
}

Result<bool> FdTable::close_on_exec(Fd fd) {
  MutexLock lock(lock_);
  const Entry* entry = Find(fd);
  if (!entry) return Errno::kEBADF;
  return entry->close_on_exec;
}

Result<void> FdTable::SetCloseOnExec(Fd fd, bool value) {
  MutexLock lock(lock_);
  Entry* entry = Find(fd);
  if (!entry) return Errno::kEBADF;
  entry->close_on_exec = value;
  return {};
}

int FdTable::NextOpen(int from) {
  MutexLock lock(lock_);
  for (size_t index = taken_.NextTaken(from < 0 ? 0 : size_t(from)); index < entries_.size();
       index = taken_.NextTaken(index + 1))
    if (entries_[index].file) return int(index);
  return -1;
}

size_t FdTable::capacity() {
  MutexLock lock(lock_);
  return taken_.size();
}

}  // namespace zrun::compat
