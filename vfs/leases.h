#pragma once
#include "vfs/file_description.h"
#include "vfs/file_messenger.h"
#include "vfs/setting.h"

// fcntl(F_SETLEASE): who holds a lease on a file is told when others open or truncate it, and they
// wait until he has given it up or the time for that has passed. Cheap while there are none.
namespace zrun::vfs {

enum class LeaseType : uint8_t { kRead = 0, kWrite = 1, kNone = 2 };  // F_RDLCK, F_WRLCK, F_UNLCK

// /proc/sys/fs: seconds, 0 for ever; whether new ones can be had.
extern Setting lease_break_time, leases_enable;

// One who waits to open or truncate a file; kSignaled when a lease on it was given up or changed.
class LeaseWait final : public KernelObject, public ListNode<> {
 public:
  ~LeaseWait() override;
  // When the time of those in the way has passed at the latest: then it is worth trying again, too.
  hal::Deadline deadline() const { return deadline_; }
  // What was to be opened counts as open while its opener waits, or who truncates as a writer.
  void Keep(RefPtr<FileDescription> opening) { opening_ = std::move(opening); }
  void KeepWriter(RefPtr<Vnode> writing) { writing_ = std::move(writing); }

 private:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> zrun::MakeRef(Args&&...);
  friend class LeaseTable;
  LeaseWait() : KernelObject(ObjectType::kEvent) {}
  void Wake() { UpdateSignals(Signals::kNone, Signals::kSignaled); }
  RefPtr<FileDescription> opening_;
  RefPtr<Vnode> writing_;  // counts one writer
  uintptr_t file_ = 0;
  hal::Deadline deadline_ = hal::Deadline::Never();
};

// Takes, changes or (kNone) gives up the lease that belongs to |file|. EAGAIN if others have it
// open in a way that the lease does not allow, or if there is none to give up; EINVAL where there
// are no leases. |messenger| tells of its end. (Whether the caller may, he has looked.)
Result<void> SetLease(FileDescription& file, LeaseType type, int32_t process_id,
                      RefPtr<FileMessenger> messenger);
// F_GETLEASE: while it is being broken, what it is to become.
LeaseType GetLease(FileDescription& file);

namespace internal {
extern std::atomic<uint32_t> lease_count;
Result<RefPtr<LeaseWait>> BreakLeasesSlow(Vnode& vnode, bool for_writing, bool waits);
void DropLeaseSlow(FileDescription& file);
}  // namespace internal

// Somebody opens |vnode| (and counts already as one who has it open) or truncates it: tells those
// who hold leases that do not allow it. Null if none is in the way; otherwise wait and call again,
// unless |waits| is false: EAGAIN then.
inline Result<RefPtr<LeaseWait>> BreakLeases(Vnode& vnode, bool for_writing, bool waits) {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (internal::lease_count.load(std::memory_order_relaxed) == 0) [[likely]]
    return RefPtr<LeaseWait>();
  return internal::BreakLeasesSlow(vnode, for_writing, waits);
}
// |file| is no more.
inline void DropLease(FileDescription& file) {
  if (internal::lease_count.load(std::memory_order_relaxed) != 0) [[unlikely]]
    internal::DropLeaseSlow(file);
}

// For /proc/locks.
struct LeaseInfo {
  LeaseType type = LeaseType::kNone;  // what it is, or is to become
  bool breaking = false;
  int32_t process_id = 0;
  const void* file = nullptr;  // the open file; an identity
};
Result<Vector<LeaseInfo>> ListLeases(const Vnode& vnode);

}  // namespace zrun::vfs
