#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/flags.h"
#include "base/result.h"

// The machine's memory. A physical address names a byte of RAM or of another bank: a ROM such as
// the image, or a host file that can be mapped (trap). Banks are told apart by the address's top
// bits.
namespace zrun::hal {

using vaddr_t = uint64_t;
using paddr_t = uint64_t;
inline constexpr size_t kPageSize = 4096;
inline constexpr size_t kPageMask = kPageSize - 1;
constexpr uint64_t RoundDown(uint64_t value) { return value & ~uint64_t{kPageMask}; }
constexpr uint64_t RoundUp(uint64_t value) { return (value + kPageMask) & ~uint64_t{kPageMask}; }

struct VirtRange {
  vaddr_t base = 0;
  uint64_t size = 0;
  constexpr vaddr_t end() const { return base + size; }
};
struct PhysRange {
  paddr_t base = 0;
  uint64_t size = 0;
  constexpr paddr_t end() const { return base + size; }
};

enum class Access : uint8_t { kNone = 0, kRead = 1, kWrite = 2, kExecute = 4 };

// The frames that the page allocator may give out. On the trap machine they are a sparse file: a
// frame costs nothing until touched and reads as zeros.
PhysRange Ram();
// Parts of Ram() that are in use from the start (the kernel, the image), in order of address and
// apart from each other.
std::span<const PhysRange> ReservedRam();
// What the machine's own tables and stacks are made of once the page allocator, which lies above,
// offers itself; a machine that has no use for frames ignores it.
struct FrameSource {
  Result<paddr_t> (*allocate)();  // a page of zeros
  void (*free)(paddr_t frame);
  uint64_t (*used)();  // bytes of Ram() that are not free
};
void UseFrames(const FrameSource& source);
// How many bytes to reserve at once for an object that wants |wanted| (a multiple of the page
// size): all of it where RAM is sparse (so that it maps in one piece), a page where frames are
// real.
uint64_t PreferredRun(uint64_t wanted);
// Whether frames handed out by the page allocator for the first time, or after DiscardFrames, read
// as zeros without being written.
bool FreshFramesAreZero();
// The kernel's window onto RAM and ROM banks; valid for every address of them.
std::byte* PhysToVirt(paddr_t frame);
// The inverse for addresses in the RAM window.
paddr_t VirtToPhys(const void* address);
// Tells the machine the frames hold nothing; the trap host gives the memory back.
void DiscardFrames(PhysRange frames);
// Bytes of RAM that are really in use, for /proc/meminfo and limits.
uint64_t CommittedRam();
// Bytes of RAM the machine reports to guests (the container's limit, or the host's memory).
uint64_t TotalRam();
// The root image as a ROM bank; size 0 if there is none, or if it lies on a disk (hal/disks.h: the
// first).
PhysRange ImageRom();

}  // namespace zrun::hal

template <>
inline constexpr bool zrun::kIsFlags<zrun::hal::Access> = true;
