#pragma once
#include <atomic>
#include <cstdint>
#include <string_view>

#include "base/intrusive_list.h"
#include "base/vector.h"
#include "hal/address_space.h"
#include "hal/parking.h"
#include "hal/trap_x86_64/boot_record.h"
#include "hal/trap_x86_64/host_mutex.h"
#include "hal/trap_x86_64/layout.h"
#include "hal/user_context.h"

// What the files of this machine share.
namespace zrun::hal {

enum class BlockState : uint32_t { kFree, kLive, kDead };

// The part of a thread that entry.S knows.
struct TrapState {
  Registers registers;
  uint64_t kernel_sp;
  std::atomic<uint32_t> mode;  // MODE_*
  std::atomic<uint32_t> kick;
  uint64_t exit_slot;
  uint32_t signal;  // of the last trap: the host's signal and what it said
  int32_t code;
  uint64_t address;
  uint32_t trap_number;
  uint32_t error_code;
  uint32_t syscall_arch;
  std::atomic<uint32_t>
      state;  // BlockState; kDead is stored by the thread's last instruction but one
};

// A host thread. It lies in its block, between its kernel stack and its alternate signal stack, and
// is found from the stack pointer.
class Thread : public TrapState, public ListNode<Thread> {
 public:
  Parking parking;
  uint32_t spin_misses;  // how often in a row watching |parking| before sleeping was in vain
  uint32_t spin_pause;   // sleeps to go until it is tried again
  int32_t host_pid, host_tid;
  AddressSpace* space;             // owned reference; null for service threads
  std::atomic<int32_t> nice;       // wanted, above zrun's own
  int32_t host_nice;               // what the host has been told
  std::atomic<uint32_t> touching;  // 1: in a copy to or from guest memory
  uint32_t slot_index;
  ThreadStart start;
  std::atomic<uint32_t> start_gate;  // a blank carrier's first thread waits for 1
  void* owner;                       // ThreadSlot
  bool new_process;                  // first thread of its carrier

  bool in_guest() const { return mode.load(std::memory_order_seq_cst) & MODE_GUEST; }
  std::byte* block() { return reinterpret_cast<std::byte*>(this) - ZRUN_BLOCK_THREAD; }
};

BootRecord& Boot();
// A kick that wakes nobody: makes |thread| leave guest code, or not get there before Run() has
// looked for work; one that sleeps goes on sleeping.
void DriveOut(Thread& thread);

Result<Thread*> AllocateThread();
// For a block that never ran.
void FreeThread(Thread& thread);
void AdoptBootThread();
// Makes |thread| a host thread of the caller's process (|process| false) or of a new one.
Result<void> LaunchThread(Thread& thread, bool process);

// The calling thread's carrier, and translations that other threads asked it to drop.
class Carrier final : public AddressSpace {
 public:
  Carrier() = default;
  ~Carrier() override;
  Result<void> MapShared(vaddr_t base, std::span<const PhysRange> frames, Access access) override;
  Result<void> Protect(VirtRange range, Access access) override;
  Result<void> Unmap(VirtRange range) override;
  Result<void> UnmapAll() override;

  bool is_current() const;
  Result<void> MapFrames(vaddr_t base, std::span<const PhysRange> frames, Access access,
                         bool is_private);
  Result<uint32_t> AddThread(Thread& thread);
  void RemoveThread(Thread& thread);
  // fork's child: slot 0 is its first thread's.
  void AdoptFirstThread(Thread& thread);
  size_t thread_count();
  bool has_pending_work() const { return pending_work_.load(std::memory_order_seq_cst); }
  void DoPendingWork();
  Thread* first_thread = nullptr;  // a blank carrier's, until it is started

 private:
  bool MayReachGuestMemory() EXCLUDES(lock_);

  HostMutex lock_;
  IntrusiveList<Thread, Thread> threads_ GUARDED_BY(lock_);
  Vector<uint64_t> used_slots_ GUARDED_BY(lock_);  // bitmap
  Vector<VirtRange> pending_unmaps_ GUARDED_BY(lock_);
  std::atomic<bool> pending_work_{false};
};
inline Carrier& AsCarrier(AddressSpace& space) { return static_cast<Carrier&>(space); }

// Banks of physical memory: RAM, the image, host files.
struct HostRange {
  int fd;
  uint64_t offset;
};
inline constexpr paddr_t kRomBank = paddr_t{1} << 56;
inline constexpr paddr_t kFileBank = paddr_t{1} << 62;
inline constexpr unsigned kFileBankShift = 44;
HostRange ToHost(paddr_t address);

// Tells the host the calling thread's nice value if it is a new one.
void FollowNice(Thread& self);

void InstallSignals();
void InstallFilters();
void StartReactor();
void WakeReactor();
// What the reactor polls for kHostChanges; -1 while nobody watches.
int HostChangesFd();
void StartSpawner();
// Runs |function| on the service carrier's spawner thread and waits: what must be made from its
// clean address space.
void RunOnSpawner(void (*function)(void*), void* argument);

// Leaves a report for the supervisor and ends the container; exit status 125.
[[noreturn]] void Die(std::string_view reason, const Registers* registers, uint64_t frame_pointer);

}  // namespace zrun::hal
