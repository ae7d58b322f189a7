#include "hal/riscv64/vdso.h"

#include "hal/address_space.h"
#include "hal/riscv64/page_table.h"
#include "hal/riscv64/timekeeping.h"
#include "hal/riscv64/vdso_data.h"

extern "C" const std::byte vdso_image[];

namespace zrun::hal {
namespace {

constinit UserLayout g_layout = {};
constinit paddr_t g_table = 0;

struct alignas(kPageSize) DataPage {
  VdsoData data;
  std::byte rest[kPageSize - sizeof(VdsoData)];
};
constinit DataPage g_data = {};

// Of a table and of those below it, each with one entry but the last. 0 if there is no memory.
paddr_t CopyTables(paddr_t table, unsigned level) {
  const paddr_t copy = AllocateTable();
  if (!copy) return 0;
  const paddr_t below = level > 0 ? CopyTables(FrameOf(TableAt(table)[0]), level - 1) : 0;
  if (level > 0 && !below) {
    FreeTable(copy);
    return 0;
  }
  for (unsigned i = 0; i < kVdsoPages; i++)
    TableAt(copy)[i] = TableAt(table)[i].load(std::memory_order_relaxed);
  if (level > 0) TableAt(copy)[0] = TableEntry(below);
  return copy;
}

}  // namespace

const UserLayout& GetUserLayout() { return g_layout; }

void InitVdso() {
  const unsigned top_level = PagingLevels() - 1;
  const vaddr_t base = kVdsoSlot * SpanAt(top_level);
  g_layout.lowest = 0x10000;
  g_layout.highest = SpanAt(top_level) * (kEntriesPerTable / 2);
  g_layout.vdso = {base, kVdsoPages * kPageSize};
  g_layout.reserved = {g_layout.vdso.end(), SpanAt(top_level) - g_layout.vdso.size};
  g_layout.vdso_header = base + kPageSize;
  g_layout.sigreturn = g_layout.vdso_header + kSigreturnOffset;
  constexpr uint64_t kUserData = kPageValid | kPageRead | kPageUser | kPageAccessed;
  const auto leaf = [](const void* page, uint64_t bits) {
    return (reinterpret_cast<uint64_t>(page) - ZRUN_KERNEL_OFFSET) >> 12 << 10 | bits;
  };
  g_table = AllocateTable();
  TableAt(g_table)[0] = leaf(&g_data, kUserData);
  TableAt(g_table)[1] = leaf(vdso_image, kUserData | kPageExecute);
  for (unsigned level = 1; level < top_level; level++) {
    const paddr_t above = AllocateTable();
    TableAt(above)[0] = TableEntry(g_table);
    g_table = above;
  }
}

void FillVdsoData() {
  const Timekeeping& time = GetTimekeeping();
  g_data.data = {time.multiplier, time.shift, time.realtime_offset};
}

paddr_t CopyVdsoTables() { return CopyTables(g_table, PagingLevels() - 2); }

void MapVdso(paddr_t root) { TableAt(root)[kVdsoSlot] = TableEntry(g_table); }

}  // namespace zrun::hal
