#include "hal/memory.h"

#include "hal/trap_x86_64/host_call.h"
#include "hal/trap_x86_64/machine.h"

namespace zrun::hal {

PhysRange Ram() { return {ZRUN_FILE_RAM, Boot().ram_size}; }
std::span<const PhysRange> ReservedRam() { return {}; }
void UseFrames(const FrameSource&) {}  // tables are the host's
uint64_t PreferredRun(uint64_t wanted) { return wanted; }
bool FreshFramesAreZero() { return true; }

std::byte* PhysToVirt(paddr_t frame) {
  if (frame & kRomBank) return reinterpret_cast<std::byte*>(ZRUN_ROM_WINDOW + (frame & ~kRomBank));
  return reinterpret_cast<std::byte*>(ZRUN_RAM_WINDOW + (frame - ZRUN_FILE_RAM));
}

paddr_t VirtToPhys(const void* address) {
  return reinterpret_cast<uint64_t>(address) - ZRUN_RAM_WINDOW + ZRUN_FILE_RAM;
}

void DiscardFrames(PhysRange frames) {
  constexpr int kPunchHoleKeepSize = 3;
  HostCall(HostNumber::kFallocate, Boot().memory_fd, kPunchHoleKeepSize, frames.base, frames.size);
}

uint64_t CommittedRam() {
  const uint64_t measured = Boot().committed.load(std::memory_order_relaxed);
  if (measured) return measured;
  struct {
    uint64_t before[8];
    uint64_t blocks;
    uint64_t after[16];
  } stat;
  static_assert(sizeof stat >= 144);
  if (HostCall(HostNumber::kFstat, Boot().memory_fd, &stat) < 0) return 0;
  return stat.blocks * 512;
}

uint64_t TotalRam() { return Boot().total_ram; }

PhysRange ImageRom() {
  if (Boot().image_fd < 0) return {};
  return {kRomBank, Boot().image_size};
}

HostRange ToHost(paddr_t address) {
  if (address & kFileBank) {
    const paddr_t bank = address & ~kFileBank;
    return {int(bank >> kFileBankShift), bank & ((paddr_t{1} << kFileBankShift) - 1)};
  }
  if (address & kRomBank) return {Boot().image_fd, address & ~kRomBank};
  return {Boot().memory_fd, address};
}

}  // namespace zrun::hal
