#pragma once
#include <span>

#include "base/text.h"
#include "compat/abi/ipc.h"
#include "compat/task.h"
#include "vfs/ipc_settings.h"

// What the three kinds of System V IPC share: keys, numbers, permissions.
namespace zrun::compat {

enum : int32_t {
  kIpcPrivate = 0,
  kIpcCreate = 01000,
  kIpcExclusive = 02000,
  kIpcNoWait = 04000,
};
enum : int32_t { kIpcRemove = 0, kIpcSet = 1, kIpcStat = 2, kIpcInfo = 3 };

inline constexpr uint32_t kIpcRead = 0444, kIpcWrite = 0222;

// Who an object belongs to; guarded by its table's lock.
struct IpcObject {
  int32_t key = 0;
  uint32_t uid = 0, gid = 0, cuid = 0, cgid = 0, mode = 0;
  uint16_t sequence = 0;
  int32_t id = -1;
  // seconds since 1970
  int64_t change_time = hal::RealtimeNow() / hal::kSecond;

  void SetOwner(Task& task, int32_t its_key, int32_t flags);
  // EACCES unless |task| has |wanted| (bits of one class are enough: 0444, 0222).
  Result<void> CheckAccess(const vfs::Credentials& credentials, uint32_t wanted) const;
  // IPC_SET and IPC_RMID: EPERM for others than owner and creator.
  Result<void> CheckOwner(const vfs::Credentials& credentials) const;
  abi::IpcPerm ToPerm() const;
  // IPC_SET.
  Result<void> Change(const abi::IpcPerm& perm);
};
// remap_file_pages(2) maps anew what it has unmapped before: EINVAL if that was all that kept a
// segment of shared memory which is to be removed. |mapping| is what the caller looked up.
Result<void> UnmapIfRemoved(Task& task, const Mapping& mapping, hal::VirtRange range);
inline int64_t IpcNow() { return hal::RealtimeNow() / hal::kSecond; }

// All of one kind, by number: an index and a sequence number that tells those apart that had one
// index after another. The pointers lie apart, as plain zeros: they take no room in the kernel's
// file, and memory with the first object, for few containers have any.
template <typename T>
class IpcTable {
 public:
  using Object = T;
  static constexpr int32_t kIndices = 32768;
  Mutex lock{LockRank::kFile};

  // |limit|: how many there may be. |next_id|: the number that the next one asks for.
  constexpr IpcTable(T* (&slots)[kIndices], vfs::Setting& limit, vfs::Setting& next_id)
      : slots_(slots), limit_(limit), next_id_(next_id) {}

  // The new object gets a number: ENOSPC.
  Result<void> Add(RefPtr<T> object) REQUIRES(lock) {
    if (count_ >= limit_.get()) return Errno::kENOSPC;
    const auto wanted = int32_t(next_id_.value.exchange(-1));
    size_t index = wanted < 0 ? 0 : size_t(wanted % kIndices);
    while (index < slots_.size() && slots_[index]) index++;
    if (index >= slots_.size()) return Errno::kENOSPC;
    size_ = std::max(size_, index + 1);
    if (wanted >= 0) {
      object->sequence = uint16_t(wanted / kIndices);
    } else {
      if (int32_t(index) <= last_index_) sequence_ = (sequence_ + 1) & 0x7fff;
      object->sequence = sequence_;
    }
    last_index_ = int32_t(index);
    object->id = int32_t(object->sequence) * kIndices + int32_t(index);
    slots_[index] = object.Leak();
    count_++;
    return {};
  }
  void Remove(T& object) REQUIRES(lock) {
    slots_[size_t(object.id % kIndices)] = nullptr;
    while (size_ > 0 && !slots_[size_ - 1]) size_--;
    count_--;
    object.Release();
  }
  T* FindKey(int32_t key) REQUIRES(lock) {
    for (size_t i = 0; i < size_; i++)
      if (slots_[i] && slots_[i]->key == key) return slots_[i];
    return nullptr;
  }
  // EINVAL; EIDRM if it was removed and another has its place.
  Result<T*> Find(int32_t id) REQUIRES(lock) {
    T* const object = id < 0 ? nullptr : At(id % kIndices);
    if (!object) return Errno::kEINVAL;
    if (object->id != id) return Errno::kEIDRM;
    return object;
  }
  T* At(int32_t index) REQUIRES(lock) {
    return index >= 0 && size_t(index) < size_ ? slots_[size_t(index)] : nullptr;
  }
  // The highest index in use, 0 if there is none.
  int32_t highest() REQUIRES(lock) { return size_ > 0 ? int32_t(size_ - 1) : 0; }
  template <typename Visit>
  void ForEach(Visit visit) REQUIRES(lock) {
    for (size_t i = 0; i < size_; i++)
      if (slots_[i]) visit(*slots_[i]);
  }
  int32_t count() REQUIRES(lock) { return count_; }

 private:
  const std::span<T*> slots_;
  vfs::Setting& limit_;
  vfs::Setting& next_id_;
  int32_t count_ GUARDED_BY(lock) = 0;
  size_t size_ GUARDED_BY(lock) = 0;  // none at or behind it is in use
  uint16_t sequence_ GUARDED_BY(lock) = 0;
  int32_t last_index_ GUARDED_BY(lock) = -1;
};

// shmget, semget and msgget: the object of |key|, checked by |check|, or a new one that |make|
// makes.
template <typename Table, typename Check, typename Make>
SyscallResult GetIpc(Task& task, Table& table, int32_t key, int32_t flags, Check check, Make make) {
  using T = typename Table::Object;
  const auto credentials = task.credentials();
  MutexLock lock(table.lock);
  T* const found = key == kIpcPrivate ? nullptr : table.FindKey(key);
  if (found) {
    if ((flags & kIpcCreate) && (flags & kIpcExclusive)) return Errno::kEEXIST;
    TRY(check(*found));
    TRY(found->CheckAccess(*credentials, uint32_t(flags) & 0777));
    return uint64_t(found->id);
  }
  if (key != kIpcPrivate && !(flags & kIpcCreate)) return Errno::kENOENT;
  RefPtr<T> made = TRY(make());
  made->SetOwner(task, key, flags);
  TRY(table.Add(made));
  return uint64_t(made->id);
}

// IPC_STAT with an id, and the _STAT commands with an index, whose result is the id there. What
// |describe| says of the object goes to |to|; |is_open|: to everybody (_STAT_ANY).
template <typename Table, typename Describe>
SyscallResult StatIpc(Task& task, Table& table, int32_t id, bool by_index, bool is_open,
                      Describe describe, UserAddr to) {
  using T = typename Table::Object;
  using Description = decltype(describe(std::declval<T&>()));
  const auto credentials = task.credentials();
  Description out;
  int32_t result = 0;
  {
    MutexLock lock(table.lock);
    T* object = by_index ? table.At(id) : TRY(table.Find(id));
    if (!object) return Errno::kEINVAL;
    if (by_index) result = object->id;
    if (!is_open) TRY(object->CheckAccess(*credentials, kIpcRead));
    out = describe(*object);
  }
  TRY(task.memory().Write(UserPtr<Description>(to.address), out));
  return uint64_t(result);
}

// The last thread of |group| ends, or unshares: what it did with SEM_UNDO is undone.
void UndoSemaphores(ThreadGroup& group);

// The texts of /proc/sysvipc.
void ShowSharedMemory(TextSink& out);
void ShowSemaphores(TextSink& out);
void ShowMessageQueues(TextSink& out);

}  // namespace zrun::compat
