#pragma once
#include <cstdint>

#include "hal/riscv64/machine.h"

// Translation tables as the processor reads them. Source: RISC-V privileged specification 1.12,
// chapters 4.3 to 4.5.
namespace zrun::hal {

using PageEntry = std::atomic<uint64_t>;
inline constexpr unsigned kEntriesPerTable = 512;

enum PageBits : uint64_t {
  kPageValid = 1,
  kPageRead = 2,
  kPageWrite = 4,
  kPageExecute = 8,
  kPageUser = 16,
  kPageGlobal = 32,
  kPageAccessed = 64,
  kPageDirty = 128,
  kPageLeaf = kPageRead | kPageWrite | kPageExecute,
};

inline constexpr uint64_t TableEntry(paddr_t table) { return (table >> 12) << 10 | kPageValid; }
inline constexpr paddr_t FrameOf(uint64_t entry) {
  return (entry >> 10 & ((uint64_t{1} << 44) - 1)) << 12;
}
inline PageEntry* TableAt(paddr_t table) { return WindowPointer<PageEntry>(table); }
inline constexpr unsigned IndexAt(vaddr_t address, unsigned level) {
  return unsigned(address >> (12 + 9 * level)) & (kEntriesPerTable - 1);
}
// Bytes that an entry of a table at |level| covers.
inline constexpr uint64_t SpanAt(unsigned level) { return uint64_t{kPageSize} << (9 * level); }

inline constexpr uint64_t kSatpSv39 = uint64_t{8} << 60, kSatpSv48 = uint64_t{9} << 60;
inline constexpr unsigned kSatpAsidShift = 44;

inline void FenceAll() { asm volatile("sfence.vma" : : : "memory"); }
inline void FenceAsid(uint64_t asid) { asm volatile("sfence.vma x0, %0" : : "r"(asid) : "memory"); }
inline void WriteSatp(uint64_t satp) { asm volatile("csrw satp, %0" : : "r"(satp) : "memory"); }
inline uint64_t ReadSatp() {
  uint64_t satp;
  asm volatile("csrr %0, satp" : "=r"(satp));
  return satp;
}
inline void FenceCode() { asm volatile("fence.i" : : : "memory"); }

// How many bits of satp's ASID field the processor has; 0 to 16.
unsigned AsidBits();

}  // namespace zrun::hal
