#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "hal/address_space.h"
#include "hal/clock.h"
#include "hal/devices.h"
#include "hal/thread.h"
#include "hal/user_context.h"

// What tests may ask of the hosted machine, and make it do.
namespace zrun::hal::fake {

// ---- Memory
inline constexpr uint64_t kRamSize = uint64_t{256} << 20;
// Whether RAM behaves as the trap machine's (fresh frames are zero, objects reserve whole runs) or
// as real RAM (the default: frames hold garbage). Only while nothing is allocated.
void SetSparseRam(bool sparse);
// The host's view of any bank; null if the address names nothing.
std::byte* PhysToPointer(paddr_t address);
void SetImage(std::vector<std::byte> image);

// ---- Disks. Touching a part of a disk's window that was not loaded is a fault.
void SetDisks(std::vector<std::vector<std::byte>> contents, bool read_only);
std::vector<std::byte> DiskContents(unsigned index);
// Transfers that touch these bytes of any disk fail from now on; an empty range: none.
void BreakDisks(uint64_t begin, uint64_t end);
unsigned DiskTransfers();  // so far

// ---- Address spaces: translations page by page.
class Space final : public AddressSpace {
 public:
  struct Translation {
    paddr_t frame = 0;  // 0: none, zeros
    Access access = Access::kNone;
    // As hal/host_pages.h has it: writes go to a page of the machine's own.
    bool is_private = false;
    std::shared_ptr<std::array<std::byte, kPageSize>> own = nullptr;
  };
  Result<void> MapShared(vaddr_t base, std::span<const PhysRange> frames, Access access) override;
  Result<void> Protect(VirtRange range, Access access) override;
  Result<void> Unmap(VirtRange range) override;
  Result<void> UnmapAll() override;
  std::optional<Translation> Find(vaddr_t address);
  size_t page_count();
  // For hal/host_pages.h.
  void MapPrivate(vaddr_t page, paddr_t frame, Access access);
  Result<void> Move(VirtRange from, vaddr_t to);
  void Drop(VirtRange range);
  void Populate(VirtRange range);
  void WipeOnFork(VirtRange range, bool wipe);
  Result<RefPtr<Space>> Fork();
  // Copies to or from guest memory, as the processor would: stops at the first byte that faults.
  // Holding the lock throughout, as an Unmap on a real machine waits for all processors.
  size_t Touch(vaddr_t address, size_t size, Access access,
               const std::function<void(std::byte* memory, size_t done, size_t bytes)>& use);

 private:
  std::mutex mutex_;
  std::map<vaddr_t, Translation> pages_;
  std::set<vaddr_t> wiped_;
  std::byte* Reach(Translation& page, Access access);
};
// Runs the calling thread in |space| (null: in none).
void EnterSpace(AddressSpace* space);
// The guest: called by Run() on the thread that set it. Without one Run() waits for a kick.
void SetGuest(std::function<Trap(Registers&)> guest);
// The guest of all threads that have none of their own; null: none.
void SetGuestOfAll(std::function<Trap(Registers&)> guest);

// ---- Failures. The calling thread's |n|-th (from 0) next operation that may fail does so, once: a
// kernel allocation, a new thread or address space, a change of one. No allocation fails under
// Clang's thread sanitizer, which brings an allocator that cannot be replaced.
#define ZRUN_ALLOCATIONS_FAIL 1
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#undef ZRUN_ALLOCATIONS_FAIL
#define ZRUN_ALLOCATIONS_FAIL 0
#endif
#endif
void FailOperation(size_t n);
// No more; whether one has failed.
bool StopFailing();
// Whether the operation that the caller is about to do shall fail: for whoever does one, or stands
// in for one.
bool MustFail();

// ---- Threads
// How many that StartThread() made are alive; waits until they are no more than |count|.
size_t LiveThreads();
void AwaitThreads(size_t count);

// ---- Clocks
// From then on time stands still, but for AdvanceClock().
void FreezeClock();
void ThawClock();
void AdvanceClock(Nanoseconds by);

// ---- Devices
void SetInput(std::string_view bytes, bool end_of_file);
std::string TakeOutput(unsigned stream);
void SetStreamKind(unsigned stream, StreamKind kind);
void SetWindowSize(WindowSize size);
void SetCommandLine(std::string text);
void SendEvent(const MachineEvent& event);
std::string TakeConsole();

// ---- Host files
void AddVolume(const std::string& directory, const std::string& target, bool read_only);
void RemoveVolumes();

}  // namespace zrun::hal::fake
