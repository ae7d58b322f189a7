#include "hal/riscv64/vdso.h"

#include "hal/address_space.h"
#include "hal/riscv64/page_table.h"

extern "C" const std::byte vdso_begin[], vdso_sigreturn[];

namespace zrun::hal {
namespace {

constinit UserLayout g_layout = {};
constinit paddr_t g_table = 0;

}  // namespace

const UserLayout& GetUserLayout() { return g_layout; }

void InitVdso() {
  const unsigned top_level = PagingLevels() - 1;
  const vaddr_t base = kVdsoSlot * SpanAt(top_level);
  g_layout.lowest = 0x10000;
  g_layout.highest = SpanAt(top_level) * (kEntriesPerTable / 2);
  g_layout.vdso = {base, kPageSize};
  g_layout.reserved = {g_layout.vdso.end(), SpanAt(top_level) - g_layout.vdso.size};
  g_layout.sigreturn = base + uint64_t(vdso_sigreturn - vdso_begin);
  constexpr uint64_t kUserCode = kPageValid | kPageRead | kPageExecute | kPageUser | kPageAccessed;
  const paddr_t page = reinterpret_cast<uint64_t>(vdso_begin) - ZRUN_KERNEL_OFFSET;
  uint64_t entry = page >> 12 << 10 | kUserCode;
  for (unsigned level = 0; level < top_level; level++) {
    g_table = AllocateTable();
    TableAt(g_table)[0] = entry;
    entry = TableEntry(g_table);
  }
}

void MapVdso(paddr_t root) { TableAt(root)[kVdsoSlot] = TableEntry(g_table); }

}  // namespace zrun::hal
