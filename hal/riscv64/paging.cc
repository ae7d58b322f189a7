// The kernel's own translations. They lie in one table of a gigabyte each per entry, which every
// address space shares (Sv48: as the last entry of its root; Sv39: by a copy of its upper half,
// whose entries never change after booting).
#include "base/assert.h"
#include "hal/riscv64/page_table.h"
#include "hal/riscv64/sbi.h"

extern "C" const std::byte kernel_begin[], kernel_text_end[], kernel_rodata_end[], kernel_end[];

namespace zrun::hal {
namespace {

constinit paddr_t g_gigabytes = 0;    // the shared table
constinit paddr_t g_kernel_root = 0;  // of a space without a guest
constinit unsigned g_levels = 3;
constinit unsigned g_asid_bits = 0;
constinit SpinLock g_lock;  // the blocks' tables, after booting

constexpr uint64_t kData =
    kPageValid | kPageRead | kPageWrite | kPageGlobal | kPageAccessed | kPageDirty;
constexpr uint64_t kConstant = kPageValid | kPageRead | kPageGlobal | kPageAccessed;
constexpr uint64_t kCode = kConstant | kPageExecute;

uint64_t LeafEntry(paddr_t frame, uint64_t bits) { return (frame >> 12) << 10 | bits; }

// The entry for |address| in a table of |level|, with what is missing on the way made of |spare|
// frames: only while booting may it allocate.
PageEntry* EntryFor(vaddr_t address, unsigned level) {
  PageEntry* table = TableAt(g_gigabytes);
  for (unsigned at = 2; at > level; at--) {
    PageEntry& entry = table[IndexAt(address, at)];
    if (!(entry & kPageValid)) entry = TableEntry(AllocateTable());
    table = TableAt(FrameOf(entry));
  }
  return &table[IndexAt(address, level)];
}

void MapImagePages(const std::byte* begin, const std::byte* end, uint64_t bits) {
  for (vaddr_t page = reinterpret_cast<vaddr_t>(begin); page < reinterpret_cast<vaddr_t>(end);
       page += kPageSize)
    *EntryFor(page, 0) = LeafEntry(page - ZRUN_KERNEL_OFFSET, bits);
}

// The window, in the largest pages that keep what is not for writing out of it: the kernel's text
// and constants have no second, writable face.
void MapWindow(paddr_t begin, paddr_t end) {
  const paddr_t closed_begin = reinterpret_cast<uint64_t>(kernel_begin) - ZRUN_KERNEL_OFFSET;
  const paddr_t closed_end = reinterpret_cast<uint64_t>(kernel_rodata_end) - ZRUN_KERNEL_OFFSET;
  for (paddr_t at = begin; at < end;) {
    unsigned level = 2;
    for (; level > 0; level--) {
      const uint64_t size = SpanAt(level);
      const bool fits = at % size == 0 && end - at >= size;
      if (fits && (at + size <= closed_begin || at >= closed_end)) break;
    }
    if (at < closed_begin || at >= closed_end)
      *EntryFor(ToWindow(at), level) = LeafEntry(at, kData);
    at += SpanAt(level);
  }
}

unsigned ProbeAsidBits() {
  const uint64_t satp = ReadSatp();
  WriteSatp(satp | uint64_t{0xffff} << kSatpAsidShift);
  const uint64_t asid = ReadSatp() >> kSatpAsidShift & 0xffff;
  WriteSatp(satp);
  FenceAll();
  return asid == 0 ? 0 : 64 - unsigned(__builtin_clzll(asid));
}

}  // namespace

void InitPaging() {
  constexpr uint64_t kGigabyte = uint64_t{1} << 30;
  g_gigabytes = AllocateTable();
  MapImagePages(kernel_begin, kernel_text_end, kCode);
  MapImagePages(kernel_text_end, kernel_rodata_end, kConstant);
  MapImagePages(kernel_rodata_end, kernel_end, kData);
  MapWindow(0, kGigabyte);  // devices
  MapWindow(Ram().base, Ram().end());
  // The blocks' tables exist from now on down to the last level but one.
  static_assert(ZRUN_BLOCKS_SIZE == 1 << 30);
  static_cast<void>(EntryFor(ZRUN_BLOCKS_BASE, 1));
  g_asid_bits = ProbeAsidBits();

  // Sv48 where the processor has it: satp keeps its value if not.
  g_kernel_root = AllocateTable();
  TableAt(g_kernel_root)[kEntriesPerTable - 1] = TableEntry(g_gigabytes);
  if (KernelOption("paging") != "sv39") WriteSatp(kSatpSv48 | g_kernel_root >> 12);
  if (ReadSatp() >> 60 == kSatpSv48 >> 60) {
    g_levels = 4;
  } else {
    TableAt(g_kernel_root)[kEntriesPerTable - 1] = 0;
    CopyKernelHalf(g_kernel_root);
    WriteSatp(kSatpSv39 | g_kernel_root >> 12);
  }
  FenceAll();
}

unsigned PagingLevels() { return g_levels; }
unsigned AsidBits() { return g_asid_bits; }

uint64_t KernelSatp() { return (g_levels == 4 ? kSatpSv48 : kSatpSv39) | g_kernel_root >> 12; }

void CopyKernelHalf(paddr_t root) {
  if (g_levels == 4) {
    TableAt(root)[kEntriesPerTable - 1] = TableEntry(g_gigabytes);
    return;
  }
  for (unsigned i = kEntriesPerTable / 2; i < kEntriesPerTable; i++)
    TableAt(root)[i] = TableAt(g_gigabytes)[i].load();
}

void ReserveKernelRange(VirtRange range) {
  constexpr uint64_t kGigabyte = uint64_t{1} << 30;
  for (vaddr_t at = range.base; at < range.end(); at += kGigabyte)
    static_cast<void>(EntryFor(at, 1));
  // Spaces made from now on have it; the kernel's own is there already.
  if (g_levels == 3) CopyKernelHalf(g_kernel_root);
}

bool IsKernelPageMapped(vaddr_t page) {
  const PageEntry* table = TableAt(g_gigabytes);
  for (unsigned level = 2; level > 0; level--) {
    const uint64_t entry = table[IndexAt(page, level)].load(std::memory_order_acquire);
    if (!(entry & kPageValid)) return false;
    table = TableAt(FrameOf(entry));
  }
  return table[IndexAt(page, 0)].load(std::memory_order_acquire) & kPageValid;
}

// Pages of thread blocks and of disks' windows. EEXIST if there is one already.
Result<void> MapKernelPage(vaddr_t page, paddr_t frame) {
  PageEntry& entry = *EntryFor(page, 1);
  if (!(entry & kPageValid)) {
    const paddr_t table = AllocateTable();
    if (!table) return Errno::kENOMEM;
    bool used = false;
    {
      SpinLocked lock(g_lock);
      if (!(entry & kPageValid)) {
        entry = TableEntry(table);
        used = true;
      }
    }
    if (!used) FreeTable(table);
  }
  uint64_t nothing = 0;
  if (!TableAt(FrameOf(entry))[IndexAt(page, 0)].compare_exchange_strong(nothing,
                                                                         LeafEntry(frame, kData)))
    return Errno::kEEXIST;
  return {};
}

paddr_t UnmapKernelPage(vaddr_t page) {
  const PageEntry& entry = *EntryFor(page, 1);
  return FrameOf(TableAt(FrameOf(entry))[IndexAt(page, 0)].exchange(0));
}

void FlushKernelEverywhere() {
  constexpr uint64_t kSfenceVma = 1, kAllHarts = UINT64_MAX;
  FenceAll();
  bool others = false;
  for (unsigned i = 0; i < HartCount(); i++)
    others |= HartAt(i).online.load(std::memory_order_relaxed) && i != CurrentCpu();
  if (others) SbiCall(SbiExtension::kRemoteFence, kSfenceVma, 0, kAllHarts, 0, UINT64_MAX);
}

}  // namespace zrun::hal
